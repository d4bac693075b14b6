import type { Socket } from 'node:net';
import { BadInput, LoadFailed, ToldInModelLog } from '../../errors/backend.js';
import { SconceError } from '../../errors/sconce-error.js';
import type { Batch, BatchSink } from '../../inference/batch.js';
import { NO_LIMITS, stricter, type WorkerLimits } from '../../inference/worker-limits.js';
import { endedChildOf, killWithGroup, residentBytes, residentBytesWithChildren } from '../../platform/processes.js';
import type { Runner, RunnerEvents, RunnerExit, RunnerSpec } from '../backend.js';
import { looksOutOfMemory } from '../crash-log.js';
import type { HostedProgram } from '../hosted-program.js';
import { LineTail } from '../line-tail.js';
import { missingText, type SandboxReport } from '../sandbox-report.js';
import { BatchesInFlight, type BatchFault } from './batches-in-flight.js';
import { howEnded, lateText, outOfMemory, verdictOf } from './confinement.js';
import { DataLines } from './data-lines.js';
import type { Enclosure } from './enclosure.js';
import { orderWorker } from './fork-order.js';
import { FrameReader } from './frame-reader.js';
import { decodeWorkerFrame, encodeBatch, encodeCancel, encodeLoad, encodeStop, FRAME, type WorkerFrame } from './frames.js';
import { loadOrder } from './load-order.js';
import { NamedTimers } from './named-timers.js';
import { type ProcessEnd, UNKNOWN_END, type WarmParent } from './parent.js';
import type { Parents } from './parents.js';
import type { PythonBackendOptions } from './python-options.js';
import { type RankGroup, rankGroupOf } from './rank-group.js';
import type { ChannelName, ExpectedWorker, WorkerChannels } from './worker-channels.js';
import { WorkerOutput } from './worker-output.js';

export interface WorkerSurroundings {
  readonly channels: WorkerChannels;
  readonly parents: Parents;
  readonly options: PythonBackendOptions;
}

type State = 'created' | 'loading' | 'failed' | 'ready' | 'stopping' | 'condemned' | 'gone';

/** Batches that may lie in the worker's socket. The dispatcher fills it only where they are over in a moment. Ranks have one at a time: which one a group died of could not be told otherwise. */
const PIPELINE_DEPTH = 8;
const GROUP_PIPELINE_DEPTH = 1;
/** Batches that may overlap in a worker with coroutines: their number is the handler's affair, but no buffer is without a bound. */
const OVERLAP_DEPTH = 1024;
/** Room for a frame's numbers, phrase and headers, and for a frame of several small parts. */
const FRAME_ROOM_BYTES = 1024 * 1024;
/** From its last word to its end: what the model's own clean-up may take. */
const EXIT_WITHIN_MS = 2_000;
/** After a kill that isn't reported: try without the parent, then count it as gone. */
const KILL_AGAIN_AFTER_MS = 5_000;
const GIVE_UP_AFTER_MS = 10_000;
/** What was printed last may still be on its way when the end is reported. */
const OUTPUT_WITHIN_MS = 1_000;
const LATE_CHANNEL_WITHIN_MS = 200;
const TORCHRUN_END_WITHIN_MS = 500;

/**
 * One worker as the gateway sees it: a process, or torchrun with its group of ranks. Everything it says is taken for an attacker's words: a word out of place ends it.
 * A group loads, stops and ends as one: it is ready when all ranks have loaded, and over when one of them is.
 *
 *  state      event → next                                                  promise while here
 *  created    load() → loading                                              no process
 *  loading    LOADED 200 → ready, other → failed, time-out → condemned      load() settles within startupTimeoutMs and a moment to end
 *  failed     its end → gone                                                ended by force 2 s after its report
 *  ready      stop() → stopping, word out of place → condemned              batches are written as they are given
 *  stopping   its end → gone                                                ended by force after the grace, or 2 s after its last batch
 *  condemned  its end → gone                                                nothing it says counts
 *  gone       –                                                             `exit` was reported, all sockets are closed
 */
export class WorkerProcess implements Runner {
  readonly pipelineDepth: number;
  #state: State = 'created';
  #pid: number | undefined;
  #parent: WarmParent | undefined;
  #expected: ExpectedWorker | undefined;
  readonly #group: RankGroup | undefined;
  readonly #lines: DataLines;
  /** The owner asked for the end. */
  #asked = false;
  /** This class decided on the end: the signal is its own doing and says nothing. */
  #ownVerdict: string | undefined;
  /** The rank that ended the group, and how so far as is known. */
  #rankEnd: { readonly rank: number; readonly code: number | undefined; readonly signal: string | undefined } | undefined;
  #loadFailure: SconceError | undefined;
  #end: ProcessEnd | undefined;
  #channelsSeen = 0;
  readonly #open = new Set<Socket>();
  readonly #timers = new NamedTimers();
  readonly #lastLines = new LineTail();
  readonly #outputs: WorkerOutput[] = [];
  readonly #batches: BatchesInFlight;
  readonly #limits: WorkerLimits;
  #enclosure: Enclosure | undefined;
  #sandbox: SandboxReport | undefined;
  /** Where the worker finds its model. */
  #directory: string;
  #settleLoad: { resolve(): void; reject(error: SconceError): void } | undefined;
  #resolveGone: () => void = () => undefined;
  readonly #whenGone = new Promise<void>((resolve) => {
    this.#resolveGone = resolve;
  });

  constructor(
    private readonly key: number,
    private readonly spec: RunnerSpec,
    private readonly events: RunnerEvents,
    private readonly surroundings: WorkerSurroundings,
    /** What becomes the worker, if it isn't Python. */
    private readonly program?: HostedProgram,
  ) {
    const overlaps = spec.model.config.asyncCommunication ?? false;
    this.#limits = stricter(surroundings.options.confinement.limits, spec.model.config.sconce.limits ?? NO_LIMITS);
    this.#group = program === undefined ? rankGroupOf(spec.model.config) : undefined;
    this.#directory = spec.model.directory;
    this.pipelineDepth = this.#group !== undefined ? GROUP_PIPELINE_DEPTH : overlaps ? OVERLAP_DEPTH : PIPELINE_DEPTH;
    this.#lines = new DataLines(this.#group?.size ?? 1);
    this.#batches = new BatchesInFlight(spec.maxResponseBytes, this.#group?.receivers ?? 1, overlaps);
  }

  /** What holds around it; undefined until it is known, and where nothing was asked for. */
  get sandbox(): SandboxReport | undefined {
    return this.#sandbox;
  }

  /** Of a group: torchrun's. */
  get pid(): number | undefined {
    return this.#pid;
  }

  load(): Promise<void> {
    this.#state = 'loading';
    this.#timers.after('startup', this.spec.startupTimeoutMs, () => this.#condemn(lateText(this.#group === undefined ? [] : this.#lines.notLoaded)));
    const loaded = new Promise<void>((resolve, reject) => {
      this.#settleLoad = { resolve, reject };
    });
    this.#fork().catch((error: unknown) => {
      this.#loadFailure = LoadFailed({ status: 500, message: error instanceof SconceError ? error.message : 'No worker could be started.' }, error);
      this.#finish(UNKNOWN_END);
    });
    return loaded;
  }

  run(batch: Batch, sink: BatchSink): void {
    if (this.#state !== 'ready') return;
    const id = this.#batches.add(batch, sink);
    const frame = encodeBatch(id, batch.requests, this.program !== undefined);
    if (frame === undefined) this.#batches.refuse(id, BadInput({ what: 'The inputs of the batch are longer than 4 GiB.' }));
    // An idle worker gets its batch at once.
    else this.#lines.send(frame, this.#group?.receivers ?? 1, this.#batches.count > 1);
  }

  cancel(requestIds: readonly string[]): void {
    if (this.#state === 'ready' || this.#state === 'stopping') this.#lines.send(encodeCancel(requestIds), this.#group?.receivers ?? 1, false);
  }

  stop(graceMs: number): Promise<void> {
    if (this.#state === 'created') this.#state = 'gone';
    if (this.#state === 'gone') return Promise.resolve();
    this.#asked = true;
    if (this.#state === 'ready') {
      this.#state = 'stopping';
      // A rank that is through with its part may still be needed by the others: a group is told when all are.
      if (this.#group === undefined || this.#batches.count === 0) this.#tellStop();
      this.#timers.after('end', this.#batches.count === 0 ? Math.min(graceMs, EXIT_WITHIN_MS) : graceMs, () => this.#destroy());
    } else if (this.#state === 'loading') this.#destroy();
    return this.#whenGone;
  }

  kill(): void {
    if (this.#state === 'created' || this.#state === 'gone') return;
    this.#asked = true;
    this.#destroy();
  }

  memoryBytes(): Promise<number | undefined> {
    if (this.#pid === undefined || this.#state === 'gone') return Promise.resolve(undefined);
    return this.#group === undefined ? residentBytes(this.#pid) : residentBytesWithChildren(this.#pid);
  }

  #tellStop(): void {
    this.#lines.send(encodeStop(), this.#lines.count, false);
  }

  async #fork(): Promise<void> {
    const { channels, parents, options } = this.surroundings;
    await channels.listen();
    const parent = this.program === undefined ? await parents.parentFor(this.spec.model) : await parents.plainParent(this.spec.model);
    const { ownRoots } = await parent.ready;
    if (this.#state !== 'loading') return;
    const expected = channels.expect(this.key, this.#group?.size ?? 0, (name, socket, first) => this.#take(name, socket, first));
    this.#expected = expected;
    const { logBytesPerS: _, ...limits } = this.#limits;
    const given = { worker: this.key, nonce: expected.nonce, socket_path: channels.socketPath, limits };
    const { order, enclosure } = await orderWorker(this.spec, options, { ...given, group: this.#group, ownRoots, program: this.program });
    if (this.#state !== 'loading') return void enclosure?.give();
    this.#enclosure = enclosure;
    this.#directory = order.directory;
    this.#parent = parent;
    parent.fork(order, {
      forked: (pid) => {
        this.#pid = pid;
      },
      exited: (end) => this.#exited(end),
    });
  }

  #take(name: ChannelName, socket: Socket, first: Buffer): void {
    this.#channelsSeen += 1;
    this.#open.add(socket);
    const read = name === 'stdout' || name === 'stderr' ? this.#output(name, socket) : this.#frames(Number(name.slice('data-'.length)), socket);
    socket.on('data', read);
    socket.on('close', () => {
      this.#open.delete(socket);
      this.#finishWhenQuiet();
    });
    if (first.length > 0) read(first);
  }

  #output(name: 'stdout' | 'stderr', socket: Socket): (chunk: Buffer) => void {
    const keep = (line: string) => {
      this.#lastLines.add(line);
      this.events.output(name, line);
    };
    const output = new WorkerOutput(socket, { keep, last: (line) => this.#lastLines.add(line) }, this.#limits.logBytesPerS);
    this.#outputs.push(output);
    socket.on('close', () => output.end());
    return (chunk) => output.push(chunk);
  }

  #frames(rank: number, socket: Socket): (chunk: Buffer) => void {
    const { maxResponseBytes } = this.spec;
    // Only when all are there: from then on no secret is of use, and code of the model may run.
    if (this.#lines.connect(rank, socket)) this.#lines.send(encodeLoad(this.#loadOrder()), this.#lines.count, false);
    socket.on('close', () => this.#lineClosed(rank));
    const reader = new FrameReader(maxResponseBytes + FRAME_ROOM_BYTES, (type, payload) => this.#frame(rank, decodeWorkerFrame(type, payload)));
    return (chunk) => {
      const fault = this.#listens ? reader.push(chunk) : undefined;
      if (fault === undefined || !this.#listens) return;
      this.#fault(fault.kind === 'too-long' && fault.type === FRAME.parts ? 'too-large' : 'nonsense');
    };
  }

  #loadOrder(): object {
    return this.program?.data(this.#directory) ?? loadOrder(this.spec, this.#directory, this.surroundings.options);
  }

  #lineClosed(rank: number): void {
    // A worker that lets go of its line but lives on is of no use. One that was told to stop may take its time with its own clean-up, and then goes without a word.
    if (this.#group === undefined)
      this.#timers.after('end', EXIT_WITHIN_MS, () => (this.#asked ? this.#destroy() : this.#condemn('the worker closed its connection')));
    else if (this.#state === 'failed') this.#destroy();
    else if (this.#listens && this.#lines.hasGreeted(rank) && !(this.#state === 'stopping' && this.#batches.count === 0)) void this.#rankEnded(rank);
  }

  /** The others may wait for it for ever. */
  async #rankEnded(rank: number): Promise<void> {
    if (this.#rankEnd !== undefined) return;
    this.#rankEnd = { rank, code: undefined, signal: undefined };
    const end = this.#pid === undefined ? undefined : await endedChildOf(this.#pid);
    if (!this.#listens || this.#end !== undefined) return;
    // Nothing to be seen of it: torchrun itself may have ended first, which the parent is about to report.
    if (end === undefined) return this.#timers.after('end', TORCHRUN_END_WITHIN_MS, () => this.#condemn(`rank ${rank} ended`));
    this.#rankEnd = { rank, ...end };
    this.#condemn(`rank ${rank} ended (${howEnded(end)})`);
  }

  get #listens(): boolean {
    return this.#state === 'loading' || this.#state === 'ready' || this.#state === 'stopping';
  }

  /** Whether the worker may say this now. */
  #frame(rank: number, frame: WorkerFrame | undefined): boolean {
    if (frame === undefined || !this.#listens) return false;
    if (frame.kind === 'hello') return this.#state === 'loading' && this.#lines.greet(rank) && this.#greeted(frame.sandbox);
    if (frame.kind === 'loaded') return this.#state === 'loading' && this.#lines.loaded(rank) && this.#loaded(frame);
    if (this.#state === 'loading') return false;
    const fault = this.#batchFrame(rank, frame);
    if (frame.kind === 'parts' && frame.final) for (const output of this.#outputs) output.answered();
    if (fault !== undefined) this.#fault(fault);
    else if (this.#state === 'stopping' && this.#batches.count === 0) {
      if (this.#group !== undefined) this.#tellStop();
      this.#timers.after('end', EXIT_WITHIN_MS, () => this.#destroy());
    }
    return fault === undefined;
  }

  /** The report comes before the worker has read anything of the archive: it is the parent's word. */
  #greeted(report: SandboxReport | undefined): boolean {
    if ((report === undefined) !== (this.#enclosure === undefined)) return false;
    this.#sandbox ??= report;
    if (report !== undefined && this.#enclosure?.wish.level === 'strict' && Object.keys(report.missing).length > 0) {
      this.#condemn(`its sandbox is strict, and this does not hold: ${missingText(report)}`);
    }
    return true;
  }

  /** Rank 0 answers; the others only say when they have done. */
  #batchFrame(rank: number, frame: Exclude<WorkerFrame, { kind: 'hello' | 'loaded' }>): BatchFault | undefined {
    if (frame.kind === 'batch-done') return this.#batches.computed(frame.batchId, rank);
    if (rank !== 0) return 'nonsense';
    if (frame.kind === 'request-failed') return this.#batches.failed(frame);
    return frame.kind === 'parts' ? this.#batches.parts(frame) : this.#batches.error(frame);
  }

  #loaded({ code, message, lastLine, traceback, facts }: Extract<WorkerFrame, { kind: 'loaded' }>): boolean {
    if (code === 200) {
      if (!this.#lines.allLoaded) return true;
      this.#timers.clear('startup');
      this.#state = 'ready';
      this.program?.loaded?.(facts);
      this.#settleLoad?.resolve();
      this.#settleLoad = undefined;
      return true;
    }
    // Another rank has died and this one complains of it.
    if (this.#rankEnd !== undefined) return true;
    this.#timers.clear('startup');
    this.#state = 'failed';
    this.#loadFailure = LoadFailed({ status: code === 507 ? 507 : 500, message: lastLine || message, traceback }, new ToldInModelLog());
    this.#timers.after('end', EXIT_WITHIN_MS, () => this.#destroy());
    return true;
  }

  #fault(fault: BatchFault): void {
    const { workerName, maxResponseBytes } = this.spec;
    if (fault === 'too-large') {
      this.#batches.tooLarge();
      this.#condemn(`${workerName} gave a response longer than max_response_size (${maxResponseBytes} bytes)`);
    } else this.#condemn(`${workerName} broke the protocol between worker and server`);
  }

  #condemn(why: string): void {
    if (this.#ownVerdict !== undefined || this.#state === 'gone' || this.#end !== undefined) return;
    this.#ownVerdict = why;
    this.#lastLines.add(`sconce: ${why}`);
    this.surroundings.options.log.error(`${this.spec.workerName} is ended: ${why}`);
    this.#destroy();
  }

  #destroy(): void {
    if (this.#state === 'gone' || this.#state === 'condemned') return;
    this.#state = 'condemned';
    this.#batches.forget();
    this.#timers.clear('end');
    if (this.#parent === undefined) return this.#finish(UNKNOWN_END);
    this.#parent.kill(this.key);
    this.#timers.after('kill', KILL_AGAIN_AFTER_MS, () => {
      if (this.#end === undefined) killWithGroup(this.#pid);
      this.#timers.after('kill', GIVE_UP_AFTER_MS - KILL_AGAIN_AFTER_MS, () => this.#finish(this.#end ?? UNKNOWN_END));
    });
  }

  #exited(end: ProcessEnd): void {
    if (this.#state === 'gone') return;
    this.#end = end;
    if (this.#ownVerdict === undefined) this.#rankEnd = undefined;
    this.#timers.clear('end');
    this.#timers.clear('kill');
    this.#timers.after('output', this.#channelsSeen < this.#channelsWanted ? LATE_CHANNEL_WITHIN_MS : OUTPUT_WITHIN_MS, () => this.#finish(end));
    this.#finishWhenQuiet();
  }

  get #channelsWanted(): number {
    return this.#lines.count + 2;
  }

  #finishWhenQuiet(): void {
    if (this.#end !== undefined && this.#channelsSeen === this.#channelsWanted && this.#open.size === 0) this.#finish(this.#end);
  }

  #finish(end: ProcessEnd): void {
    if (this.#state === 'gone') return;
    this.#state = 'gone';
    this.#timers.close();
    this.#expected?.cancel();
    void this.#enclosure?.give();
    this.#batches.forget();
    // A socket that is destroyed closes only after the exit was reported.
    for (const output of this.#outputs) output.end();
    for (const socket of this.#open) socket.destroy();
    const { code, signal } = this.#ownVerdict === undefined ? end : (this.#rankEnd ?? UNKNOWN_END);
    // How its rank ended tells more of a group's end than that it was one of its ranks.
    const verdict = this.#rankEnd === undefined ? (this.#ownVerdict ?? verdictOf(end.struck, { code, signal }, this.#limits)) : undefined;
    const told = { code, signal, memoryPeakBytes: end.memoryPeakBytes, verdict, outOfMemory: outOfMemory(end.struck) };
    this.#settleLoad?.reject(this.#loadFailure ?? this.#diedLoading(told));
    this.#settleLoad = undefined;
    // After those who wait for load() have heard that it failed.
    setImmediate(() => {
      this.events.exit({ expected: this.#asked, ...told, lastLines: this.#lastLines.lines });
      this.#resolveGone();
    });
  }

  #diedLoading(end: Pick<RunnerExit, 'code' | 'signal' | 'verdict' | 'outOfMemory'>): SconceError {
    if (this.#ownVerdict !== undefined && this.#rankEnd === undefined) return LoadFailed({ status: 500, message: this.#ownVerdict });
    if (this.#asked) return LoadFailed({ status: 500, message: 'The worker was stopped while it was loading.' });
    const who = this.#rankEnd === undefined ? 'The worker' : `Rank ${this.#rankEnd.rank}`;
    // torchrun says why there are no ranks: no torch, say.
    const why = this.#group === undefined || this.#lines.anyGreeted ? '' : `: ${this.#lastLines.lastWords}`;
    const message = `${who} ended while it was loading (${end.verdict ?? howEnded(end)})${why}.`;
    const traceback = this.surroundings.options.devTracebacks ? this.#lastLines.lines.join('\n') : undefined;
    return LoadFailed({ status: looksOutOfMemory(end) ? 507 : 500, message, traceback });
  }
}
