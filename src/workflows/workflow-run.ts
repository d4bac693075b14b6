import { randomUUID } from 'node:crypto';
import { Invariant } from '../errors/admission.js';
import { ResponseTooLarge } from '../errors/backend.js';
import type { ErrorKind } from '../errors/kinds.js';
import { DeadlineExceeded, Draining, RequestCancelled } from '../errors/scheduling.js';
import { SconceError } from '../errors/sconce-error.js';
import { WorkflowDeadlineExceeded, WorkflowNodeFailed } from '../errors/workflow.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest, InputParameter } from '../inference/request.js';
import type { Log, Observer } from '../observability/observer.js';
import { joinLeaves } from './joined-leaves.js';
import { NodeAnswer } from './node-answer.js';
import type { WorkflowNode, WorkflowSpec } from './workflow-spec.js';

/** The workflow that is run. */
export interface RunnableWorkflow {
  readonly name: string;
  readonly spec: WorkflowSpec;
  /** Name of the model that serves a node. */
  modelOf(node: string): string;
}

export interface RunHost {
  /** Never throws and never loses a request. */
  infer(request: InferenceRequest, answer: Answer): void;
  readonly observer: Pick<Observer, 'inferenceAnswered' | 'inferenceRefused'>;
  readonly log: Log;
  /** Longest answer of one node. */
  readonly maxResponseBytes: number;
  /** Called once, after the run's answer has ended. */
  ended(run: WorkflowRun): void;
}

/** Nodes of one run that are asked at the same time; others that could be wait for one of them. */
const MAX_NODES_AT_ONCE = 8;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1000;
/** What asking again cannot cure, or would make worse. */
const FINAL: ReadonlySet<ErrorKind> = new Set(['invalid', 'not-found', 'overloaded', 'cancelled']);
const JSON_TYPE = [['content-type', 'application/json']] as const;

/**
 * One request on its way through a workflow. Its answer ends exactly once; when it does, nodes that still run are told that nobody waits.
 *
 *  state    event → next
 *  running  a node answered → those that lack nothing now are asked; no node left → ended
 *           a node failed or was too slow → asked again after a pause; tries used up → ended
 *           client gone, client's deadline, stop() → ended
 *  ended    –
 *
 * A node's answer is held until the last of its successors is asked.
 */
export class WorkflowRun {
  readonly #answers = new Map<string, Uint8Array>();
  readonly #parentsLeft = new Map<string, number>();
  readonly #takersLeft = new Map<string, number>();
  /** Nodes that lack nothing but their turn. */
  readonly #ready: string[] = [];
  readonly #nobodyWaits = new AbortController();
  readonly #pauses = new Set<NodeJS.Timeout>();
  #asked = 0;
  #nodesLeft: number;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(
    private readonly workflow: RunnableWorkflow,
    private readonly request: InferenceRequest,
    private readonly answer: Answer,
    private readonly host: RunHost,
    private readonly now: () => number = () => performance.now(),
  ) {
    const { dag } = workflow.spec;
    for (const node of dag.nodes) {
      this.#parentsLeft.set(node, dag.parents(node).length);
      this.#takersLeft.set(node, dag.successors(node).length);
    }
    this.#nodesLeft = dag.nodes.length;
  }

  /** Asks the first node. Called once. */
  start(): void {
    const { cancelled, deadlineAtMs } = this.request;
    if (cancelled.aborted) return this.stop(RequestCancelled({}));
    cancelled.addEventListener('abort', this.#clientGone, { once: true });
    if (deadlineAtMs !== undefined) this.#deadlineTimer = setTimeout(() => this.stop(this.#tooLate()), Math.max(0, deadlineAtMs - this.now()));
    this.#ready.push(this.workflow.spec.dag.start);
    this.#askReady();
  }

  /** Ends it with a failure, unless it has ended. */
  stop(error: SconceError): void {
    if (!this.#end()) return;
    if (error.reason !== undefined) this.host.observer.inferenceRefused(this.workflow.name, error.reason);
    this.answer.fail(error);
    this.host.ended(this);
  }

  readonly #clientGone = (): void => this.stop(RequestCancelled({}));

  #askReady(): void {
    while (!this.#ended && this.#asked < MAX_NODES_AT_ONCE) {
      const name = this.#ready.shift();
      const node = name === undefined ? undefined : this.workflow.spec.nodes.get(name);
      if (node === undefined) return;
      this.#asked += 1;
      this.#ask(node, this.#inputsOf(node.name), 1);
    }
  }

  /** What its parents answered: under `body`, or under each one's name where there are several. */
  #inputsOf(node: string): readonly InputParameter[] {
    const parents = this.workflow.spec.dag.parents(node);
    if (parents.length === 0) return this.request.inputs;
    return parents.map((parent) => {
      const value = this.#answers.get(parent) ?? new Uint8Array();
      const takers = (this.#takersLeft.get(parent) ?? 0) - 1;
      this.#takersLeft.set(parent, takers);
      if (takers === 0) this.#answers.delete(parent);
      return { name: parents.length === 1 ? 'body' : parent, contentType: '', value };
    });
  }

  #ask(node: WorkflowNode, inputs: readonly InputParameter[], tries: number): void {
    const { principal, headers, deadlineAtMs = Number.POSITIVE_INFINITY } = this.request;
    const receivedAtMs = this.now();
    const model = this.workflow.modelOf(node.name);
    const request: InferenceRequest = {
      id: randomUUID(),
      principal,
      model,
      version: undefined,
      purpose: 'predict',
      headers,
      inputs,
      receivedAtMs,
      deadlineAtMs: Math.min(deadlineAtMs, receivedAtMs + node.settings.timeoutMs),
      cancelled: this.#nobodyWaits.signal,
    };
    const answered = (body: Uint8Array, queueMs: number): void => {
      this.host.observer.inferenceAnswered(model, undefined, (this.now() - receivedAtMs) * 1000, queueMs * 1000);
      this.#nodeAnswered(node.name, body);
    };
    const failed = (error: SconceError): void => this.#nodeFailed(node, { error, inputs, tries, requestId: request.id });
    const answer = new NodeAnswer(this.host.maxResponseBytes, answered, failed);
    try {
      this.host.infer(request, answer);
    } catch (error) {
      answer.fail(Invariant({ what: `${model} could not be asked` }, error));
    }
  }

  #nodeAnswered(node: string, body: Uint8Array): void {
    if (this.#ended) return;
    this.#asked -= 1;
    this.#nodesLeft -= 1;
    this.#answers.set(node, body);
    if (this.#nodesLeft === 0) return this.#finish();
    for (const next of this.workflow.spec.dag.successors(node)) {
      const left = (this.#parentsLeft.get(next) ?? 0) - 1;
      this.#parentsLeft.set(next, left);
      if (left === 0) this.#ready.push(next);
    }
    this.#askReady();
  }

  #nodeFailed(node: WorkflowNode, { error, inputs, tries, requestId }: Failure): void {
    if (this.#ended) return;
    if (error.code === Draining.code) return this.stop(error);
    if (this.now() >= (this.request.deadlineAtMs ?? Number.POSITIVE_INFINITY)) return this.stop(this.#tooLate());
    const { retryAttempts, timeoutMs } = node.settings;
    if (tries <= retryAttempts && !FINAL.has(error.kind) && error.code !== ResponseTooLarge.code) {
      const pause = setTimeout(
        () => {
          this.#pauses.delete(pause);
          this.#ask(node, inputs, tries + 1);
        },
        Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1)),
      );
      this.#pauses.add(pause);
      return;
    }
    const failure = WorkflowNodeFailed({ node: node.name, why: whyOf(error, timeoutMs), tries }, error);
    const line = `Workflow ${this.workflow.name}, request ${this.request.id}: ${oneLine(failure.message)}; the node's own request was ${requestId}`;
    if (error.code === Invariant.code) this.host.log.error(line, error);
    else this.host.log.warn(line);
    this.stop(failure);
  }

  #finish(): void {
    const { leaves } = this.workflow.spec.dag;
    let body: Uint8Array;
    try {
      const bodies = leaves.map((leaf) => [leaf, this.#answers.get(leaf) ?? new Uint8Array()] as const);
      const [only] = bodies;
      body = bodies.length === 1 && only !== undefined ? only[1] : joinLeaves(bodies);
    } catch (error) {
      return this.stop(error instanceof SconceError ? error : Invariant({ what: 'the answers of the last nodes could not be joined' }, error));
    }
    if (!this.#end()) return;
    this.answer.part({ status: 200, reason: 'OK', headers: JSON_TYPE, body, last: true });
    this.host.ended(this);
  }

  #tooLate(): SconceError {
    const { deadlineAtMs = 0, receivedAtMs } = this.request;
    return WorkflowDeadlineExceeded({ workflow: this.workflow.name, afterMs: deadlineAtMs - receivedAtMs });
  }

  /** False when it had ended before. */
  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    clearTimeout(this.#deadlineTimer);
    for (const pause of this.#pauses) clearTimeout(pause);
    this.request.cancelled.removeEventListener('abort', this.#clientGone);
    this.#answers.clear();
    this.#nobodyWaits.abort();
    return true;
  }
}

interface Failure {
  readonly error: SconceError;
  readonly inputs: readonly InputParameter[];
  readonly tries: number;
  readonly requestId: string;
}

/** The words are the handler's, and may be the client's. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ');
}

function whyOf(error: SconceError, timeoutMs: number): string {
  if (error.code === DeadlineExceeded.code) return `no answer within ${timeoutMs} ms`;
  return error.code === Invariant.code ? 'internal server error' : error.message;
}
