import { DisciplineRefused } from '../errors/model.js';
import { EQUAL_WEIGHTS, type WeightOf } from '../inference/fair-share.js';
import type { ServableModel } from '../inference/servable-model.js';
import { ArrivalLine } from './arrival-line.js';
import type { Lane } from './lane.js';
import type { LaneLoad, LoadHost } from './lane-load.js';
import { OverlappingLoad } from './overlapping-load.js';
import type { SequenceHeaderNames } from './sequence-headers.js';
import { SequenceLine } from './sequence-line.js';
import { StepLoad } from './step-load.js';
import { TurnLoad } from './turn-load.js';
import type { LineHost, WaitingLine } from './waiting-line.js';

/** By which rules the requests of a model are handed out: how they wait, and how a lane runs them. */
export interface Discipline {
  line(host: LineHost): WaitingLine;
  load(lane: Lane, host: LoadHost): LaneLoad;
  /** A request that runs is given up when its client goes. */
  readonly heedsDepartures: boolean;
  /** Requests that are no predictions run alone. */
  readonly onlyPredictionsShare: boolean;
}

export interface DisciplineLimits {
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  readonly queueSize: number;
}

/** TorchServe's active set is twice the batch size where sequences are batched continuously: a request may then end the stream of another. */
const STEPS_OF_SEQUENCES = 2;

/** The discipline that a model's model-config.yaml asks for; `weightOf` says how it is shared by the tenants of those who ask. Throws DisciplineRefused where its keys cannot work together. */
export function chooseDiscipline(
  model: Pick<ServableModel, 'name' | 'backend' | 'config'>,
  limits: DisciplineLimits,
  headers: SequenceHeaderNames,
  weightOf: WeightOf = EQUAL_WEIGHTS,
): Discipline {
  const { config } = model;
  const isContinuous = config.continuousBatching ?? false;
  const isOverlapping = (config.asyncCommunication ?? false) && model.backend === 'python';
  const hasSequences = config.sequenceBatching ?? false;
  const refusal = whyNot(model);
  if (refusal !== undefined) throw DisciplineRefused({ model: model.name, why: refusal });
  const { batchSize, maxBatchDelayMs, queueSize } = limits;
  const sequences = {
    headers,
    maxSequences: config.maxNumSequence ?? 1,
    queueSize: config.maxSequenceJobQueueSize ?? 1,
    maxIdleMs: config.sequenceMaxIdleMs ?? 0,
    timeoutMs: config.sequenceTimeoutMs ?? 0,
    maxBatchDelayMs,
    describeQueueSize: queueSize,
    weightOf,
  };
  return {
    line: (host) =>
      hasSequences
        ? new SequenceLine(model.name, sequences, host)
        : new ArrivalLine(model.name, { queueSize, maxBatchDelayMs, weightOf, onePrincipal: config.sconce.isolate === 'principal' }, host),
    load: (lane, host) => {
      if (isContinuous) return new StepLoad(lane, host, hasSequences ? STEPS_OF_SEQUENCES * batchSize : batchSize);
      return isOverlapping ? new OverlappingLoad(lane, host) : new TurnLoad(lane, host);
    },
    heedsDepartures: isContinuous || isOverlapping,
    onlyPredictionsShare: isContinuous,
  };
}

function whyNot({ backend, config }: Pick<ServableModel, 'backend' | 'config'>): string | undefined {
  const { continuousBatching, asyncCommunication, sequenceBatching, sequenceMaxIdleMs = 0 } = config;
  const mixing = continuousBatching ? 'continuousBatching' : sequenceBatching ? 'sequenceBatching' : undefined;
  if (config.sconce.isolate !== undefined && mixing !== undefined) return `${mixing} joins the requests of several callers, which sconce.isolate forbids`;
  if (sequenceBatching && sequenceMaxIdleMs <= 0) return 'sequenceBatching needs sequenceMaxIdleMSec greater than 0';
  if (continuousBatching && asyncCommunication) return 'continuousBatching and asyncCommunication exclude each other';
  if (continuousBatching && backend !== 'python') return 'continuousBatching needs a Python handler';
  if (sequenceBatching && backend === 'onnx') return 'sequenceBatching needs a handler that keeps state';
  return undefined;
}
