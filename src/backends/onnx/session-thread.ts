import { serveThread } from '../thread-server.js';
import { OnnxModel, type OnnxModelData } from './onnx-model.js';

// The thread of one replica. Its data is the backend's own OnnxModelData: nothing else starts this module.
await serveThread((data, gate) => OnnxModel.open(data as OnnxModelData, gate));
