import type { ModelConfig } from '../inference/model-config.js';
import { BUILT_IN_HANDLERS, handlerModule, LABELLING, LOADING_WEIGHTS, ONE_AT_A_TIME } from './built-in-handlers.js';
import type { Finding } from './finding.js';
import type { ModelDescription } from './model-description.js';

/** What can be told of handler and weights without running anything. `has` says whether a name is in the archive. */
export function handlerFindings(model: ModelDescription, config: ModelConfig, has: (name: string) => boolean): readonly Finding[] {
  const findings: Finding[] = [];
  const add = (code: string, message: string) => findings.push({ code, message });
  const { handler, serializedFile } = model;

  for (const [key, file] of [
    ['serializedFile', serializedFile],
    ['modelFile', model.modelFile],
    ['requirementsFile', model.requirementsFile],
    ['configFile', model.configFile],
  ] as const) {
    if (file?.startsWith('/'))
      add('absolute-path', `the manifest names ${file} as its ${key}, a path of this machine: put the file into the folder and name it by its path there`);
    else if (file !== undefined && !has(file))
      add('file-missing', `the manifest names ${file} as its ${key}, and the folder does not have it: put it there, or take the name out`);
  }
  if (handler === undefined) {
    if (model.backend !== 'onnx')
      add(
        'no-handler',
        'there is neither a handler nor an .onnx file, so nothing to serve: add handler.py, or name a built-in one, as --handler image_classifier',
      );
    return findings;
  }
  if (missingHandlerFile(model, has)) add('handler-missing', `the handler ${handler} is not in the folder: put it there, or name another with --handler`);
  if (model.backend !== 'python') return findings;

  const module = handlerModule(handler);
  const isBuiltIn = BUILT_IN_HANDLERS.has(module) && !has(`${module}.py`);
  if (!isBuiltIn) {
    if (handler.includes('/') && !handler.includes(':'))
      add(
        'handler-in-folder',
        `${handler} lies in a folder, where a worker does not look for it: move it to the top, or name its function too (${handler}:handle)`,
      );
    return findings;
  }
  if (LABELLING.has(module) && !has('index_to_name.json'))
    add('labels-missing', `${module} answers with class numbers without index_to_name.json: add it ({"0": "cat", …})`);
  if ((module === 'text_classifier' || module === 'text_handler') && !has(model.sourceVocab ?? 'source_vocab.pt'))
    add('vocabulary-missing', `${module} does not load without source_vocab.pt: add it`);
  if (ONE_AT_A_TIME.has(module) && (config.batchSize ?? 1) > 1)
    add(
      'batch',
      `${module} takes one request at a time, and ${model.configFile} says batchSize: ${config.batchSize}: requests that meet would fail; set it to 1`,
    );
  if (!LOADING_WEIGHTS.has(module)) return findings;
  if (serializedFile === undefined && model.modelFile === undefined)
    add('weights-missing', `${module} has nothing to load: add the weights as model.pt, or name them with --serialized-file`);
  return [...findings, ...weightsFindings(model)];
}

/** For a handler that loads as BaseHandler does. */
export function weightsFindings({ serializedFile, modelFile }: ModelDescription): readonly Finding[] {
  if (serializedFile !== undefined && modelFile === undefined && !/\.(pt|pt2|onnx|so)$/.test(serializedFile))
    return [
      {
        code: 'model-file-missing',
        message: `${serializedFile} holds weights alone: add model.py with the one class they belong to, or save TorchScript as .pt`,
      },
    ];
  return [];
}

/** Whether the handler is a file of the archive that the archive does not have. */
function missingHandlerFile({ handler, runtime, backend }: ModelDescription, has: (name: string) => boolean): boolean {
  if (handler === undefined || handler === 'onnx' || runtime === 'LSP') return false;
  const [file = ''] = handler.split(':');
  if (backend === 'javascript') return !has(file);
  if (BUILT_IN_HANDLERS.has(handlerModule(handler))) return false;
  const path = file.replace(/\.py$/, '');
  const candidates = [path, path.replaceAll('.', '/')];
  return !candidates.some((candidate) => has(`${candidate}.py`) || has(`${candidate}/__init__.py`) || has(`${candidate}.so`));
}
