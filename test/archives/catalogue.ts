import { join } from 'node:path';
import { aotInductor } from './aot-inductor/archive.js';
import type { TestArchive } from './archive.js';
import { asyncHandler } from './async-handler/archive.js';
import { compiled } from './compiled/archive.js';
import { continuousBatching } from './continuous-batching/archive.js';
import { customMetrics } from './custom-metrics/archive.js';
import { detection } from './detection/archive.js';
import { bodyEnvelope, jsonEnvelope, kserve2Envelope, kserveEnvelope } from './envelopes/archive.js';
import { inductorCache } from './inductor-cache.js';
import { microBatching } from './micro-batching/archive.js';
import { mirror } from './mirror/archive.js';
import { mnist } from './mnist/archive.js';
import { onnx } from './onnx/archive.js';
import { outcomes } from './outcomes/archive.js';
import { resnet18 } from './resnet-18/archive.js';
import { segmentation } from './segmentation/archive.js';
import { statefulSequence } from './stateful-sequence/archive.js';
import { streamingGpt } from './streaming-gpt/archive.js';
import { tensorParallel } from './tensor-parallel/archive.js';
import { textClassifier } from './text-classifier/archive.js';

/** Every test archive, the slowest to make first. */
export const CATALOGUE: readonly TestArchive[] = [
  aotInductor,
  streamingGpt,
  mnist,
  resnet18,
  segmentation,
  detection,
  textClassifier,
  microBatching,
  customMetrics,
  statefulSequence,
  compiled,
  onnx,
  tensorParallel,
  continuousBatching,
  asyncHandler,
  mirror,
  outcomes,
  bodyEnvelope,
  jsonEnvelope,
  kserveEnvelope,
  kserve2Envelope,
];

/** Lines of config.properties that every server under test has; `root` is the project's folder. */
export function commonSettings(root: string): Readonly<Record<string, string>> {
  return {
    metrics_config: join(root, 'test', 'archives', 'custom-metrics', 'metrics.yaml'),
    disable_system_metrics: 'true',
    // Inductor runs a C++ compiler. What it makes is kept from run to run.
    sconce_grants: JSON.stringify({ compiled: { exec: true, write: [inductorCache(root)], environment: ['TORCHINDUCTOR_CACHE_DIR'] } }),
  };
}
