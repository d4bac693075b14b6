import { isMetricLine } from '../observability/worker-metric-line.js';

const GREETING =
  /^(\[PID\]\d+|Torch worker started\.|Python runtime: \S+|model_name: .*, batchSize: \S+|OpenVINO is not enabled|ONNX enabled|proceeding without onnxruntime|Torch TensorRT not enabled)$/;

/** Whether a line of a worker says something to the model's author: neither a metric, nor what every worker, or BaseHandler, says as it starts. */
export function isForTheAuthor(line: string): boolean {
  return !isMetricLine(line) && !GREETING.test(line);
}
