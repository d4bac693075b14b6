import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Lane, LaneLoss, Supply } from './lane.js';

/** The way from a request to an answer, for one version of a model, whatever its discipline. */
export interface Scheduler {
  /** Requests that wait. */
  readonly pendingRequests: number;
  readonly remainingCapacity: number;
  /** Takes responsibility for a request. Never throws; a refusal is an answer too. */
  offer(request: InferenceRequest, answer: Answer): void;
  laneReady(lane: Lane): void;
  /** The replica behind the lane is gone. */
  laneLost(lane: Lane, loss: LaneLoss): void;
  /** Gives the lane nothing new; resolves when what it holds is answered. */
  laneLeaving(lane: Lane): Promise<void>;
  /** Tells how many replicas there are and may come; when none can, those who wait are answered. */
  supplyChanged(supply: Supply): void;
  /** Refuses what comes from now on; resolves when all that was accepted is answered. When `deadline` aborts, the rest is answered as draining. */
  drain(deadline: AbortSignal): Promise<void>;
}
