import { readdir, readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { extname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LoadFailed } from '../../errors/backend.js';
import { modelFile } from '../model-file.js';

/** A handler's functions, bound to whatever object they came from. */
export interface HandlerFunctions {
  readonly initialize: HandlerFunction | undefined;
  readonly handle: HandlerFunction | undefined;
  readonly preprocess: HandlerFunction | undefined;
  readonly inference: HandlerFunction | undefined;
  readonly postprocess: HandlerFunction | undefined;
  readonly close: HandlerFunction | undefined;
}

type HandlerFunction = (...given: readonly unknown[]) => unknown;

const DEFAULT_FILES = ['handler.mjs', 'handler.js', 'handler.ts'];
const TYPESCRIPT = new Set(['.ts', '.mts']);

/**
 * Imports a handler module of the model directory: `file` or `file:export`; handler.mjs, .js or .ts when none is named.
 * The export (`default`, or the module itself) is an object, a class without constructor arguments, or a function that handles a batch.
 * Rejects with LoadFailed, or with what the module threw.
 */
export async function importHandler(directory: string, handler: string | undefined): Promise<HandlerFunctions> {
  const { file, exported } = handler === undefined ? { file: await findDefault(directory), exported: undefined } : splitHandler(handler);
  const path = await modelFile(directory, file);
  if (path === undefined) throw LoadFailed({ status: 500, message: `The handler ${file} is not in the model's directory.` });
  if (TYPESCRIPT.has(extname(path)) && !stripsTypes()) registerTypeHooks();
  const module: unknown = await import(pathToFileURL(path).href).catch(async (error: unknown) => {
    throw await withPlace(error, path);
  });
  const functions = functionsOf(pick(module, exported, file));
  if ((functions.handle ?? functions.preprocess ?? functions.inference ?? functions.postprocess) === undefined) {
    throw LoadFailed({ status: 500, message: `${file} exports no handler: it needs handle, or some of preprocess, inference and postprocess.` });
  }
  return functions;
}

async function findDefault(directory: string): Promise<string> {
  const present = new Set(await readdir(directory));
  const found = DEFAULT_FILES.find((name) => present.has(name));
  if (found === undefined) throw LoadFailed({ status: 500, message: `The model has no handler: it needs one of ${DEFAULT_FILES.join(', ')}.` });
  return found;
}

function splitHandler(handler: string): { readonly file: string; readonly exported: string | undefined } {
  const at = handler.lastIndexOf(':');
  return at < 0 ? { file: handler, exported: undefined } : { file: handler.slice(0, at), exported: handler.slice(at + 1) };
}

/** Node strips types by itself from 22.18 on. */
function stripsTypes(): boolean {
  return 'typescript' in process.features && process.features.typescript !== false;
}

let typeHooks = false;

/** Once per thread. */
function registerTypeHooks(): void {
  if (!typeHooks) register('./type-hooks.js', import.meta.url);
  typeHooks = true;
}

/** Node says of a syntax error in a module neither file nor line. When it is the handler's own file that is broken, the error is told with its place. */
async function withPlace(error: unknown, path: string): Promise<unknown> {
  if (!(error instanceof SyntaxError) || error.stack?.includes(path)) return error;
  try {
    (await import('./stripped-types.js')).strippedTypes(await readFile(path, 'utf8'), path);
    return error;
  } catch (placed) {
    return placed;
  }
}

function pick(module: unknown, exported: string | undefined, file: string): unknown {
  if (!isObject(module)) return module;
  if (exported === undefined) return module.default ?? module;
  if (!(exported in module)) throw LoadFailed({ status: 500, message: `${file} has no export named ${exported}.` });
  return module[exported];
}

function functionsOf(exported: unknown): HandlerFunctions {
  if (typeof exported === 'function' && !isClass(exported)) return { ...NOTHING, handle: bind(exported, undefined) };
  const owner: unknown = typeof exported === 'function' ? Reflect.construct(exported, []) : exported;
  if (!isObject(owner)) return NOTHING;
  return {
    initialize: bind(owner.initialize, owner),
    handle: bind(owner.handle, owner),
    preprocess: bind(owner.preprocess, owner),
    inference: bind(owner.inference, owner),
    postprocess: bind(owner.postprocess, owner),
    close: bind(owner.close, owner),
  };
}

const NOTHING: HandlerFunctions = {
  initialize: undefined,
  handle: undefined,
  preprocess: undefined,
  inference: undefined,
  postprocess: undefined,
  close: undefined,
};

function bind(member: unknown, owner: unknown): HandlerFunction | undefined {
  return typeof member === 'function' ? (...given) => Reflect.apply(member, owner, given) : undefined;
}

/** A class's text starts with its keyword; nothing else tells it from a function. */
function isClass(candidate: object): boolean {
  return Function.prototype.toString.call(candidate).startsWith('class');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
