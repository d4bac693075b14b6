import { serveThread } from '../thread-server.js';
import { HandlerModel, type HandlerModelData } from './handler-model.js';

// The thread of one replica. Its data is the backend's own HandlerModelData: nothing else starts this module.
await serveThread((data, gate) => HandlerModel.open(data as HandlerModelData, gate));
