import { OutputLines } from '../../platform/output-lines.js';
import { OutputAllowance } from './output-allowance.js';

/** The socket that a stream comes from, as far as it is held back. */
interface Source {
  pause(): unknown;
  resume(): unknown;
}

interface Sinks {
  /** A line for the log. */
  keep(line: string): void;
  /** A line that the log doesn't get, among the last before the end. */
  last(line: string): void;
}

const LINE_FEED = 0x0a;
const SLICE_BYTES = 8 * 1024;
/** Longest time on one stream before others get their turn. */
const TURN_MS = 2;
/** Between two chunks of what is dropped: bounds what reading it costs, and makes the printer wait. */
const DROP_PAUSE_MS = 1;
const DROP_FOR_MS = 5_000;
/** For the answer to a batch: a worker with work to do may tell of it. */
const GRANT_BYTES = 16 * 1024;

/**
 * One stream of a worker's output on its way to the log. At most a chunk of it is in memory: while that is worked on, the socket is paused.
 *
 *  state     event → next                    promise while here
 *  keeping   allowance spent → dropping      every line is handed on
 *  dropping  5 s passed → keeping            lines are counted, not looked at; at most 64 MB/s are read
 *
 * The way back to keeping tells how much was dropped, in a line of its own.
 */
export class WorkerOutput {
  readonly #allowance: OutputAllowance;
  readonly #lines: OutputLines;
  #waiting: Buffer | undefined;
  #dropping: NodeJS.Timeout | undefined;
  #pause: NodeJS.Timeout | undefined;
  #droppedLines = 0;
  #droppedBytes = 0;
  #tail = Buffer.alloc(0);
  /** The rest of a line whose beginning was dropped goes too. */
  #skipsLine = false;
  #ended = false;

  constructor(
    private readonly source: Source,
    private readonly sinks: Sinks,
    private readonly bytesPerS: number | undefined,
  ) {
    this.#allowance = new OutputAllowance(bytesPerS);
    this.#lines = new OutputLines((line) => {
      this.#allowance.spend(line);
      sinks.keep(line);
    });
  }

  push(chunk: Buffer): void {
    this.#waiting = this.#waiting === undefined ? chunk : Buffer.concat([this.#waiting, chunk]);
    this.#work(performance.now() + TURN_MS);
  }

  /** The worker has answered a batch. */
  answered(): void {
    this.#allowance.grant(GRANT_BYTES);
  }

  /** The stream has ended, or nobody waits for the rest of it. */
  end(): void {
    if (this.#ended) return;
    this.#work(Number.POSITIVE_INFINITY);
    this.#ended = true;
    clearTimeout(this.#pause);
    const tail = this.#dropping === undefined ? undefined : this.#tail;
    if (tail === undefined) return this.#lines.end();
    this.#keepAgain();
    const last = new OutputLines((line) => this.sinks.last(line));
    last.push(tail);
    last.end();
  }

  #work(untilMs: number): void {
    if (this.#ended) return;
    let rest = this.#waiting;
    while (rest !== undefined && rest.length > 0) {
      this.#take(rest.subarray(0, SLICE_BYTES));
      rest = rest.subarray(SLICE_BYTES);
      if (performance.now() > untilMs) break;
    }
    this.#waiting = rest?.length === 0 ? undefined : rest;
    if (untilMs === Number.POSITIVE_INFINITY) return;
    if (this.#waiting !== undefined) {
      this.source.pause();
      setImmediate(() => this.#work(performance.now() + TURN_MS));
    } else if (this.#dropping !== undefined) {
      this.source.pause();
      this.#pause = setTimeout(() => this.source.resume(), DROP_PAUSE_MS);
    } else this.source.resume();
  }

  #take(slice: Buffer): void {
    if (this.#dropping !== undefined) return this.#drop(slice);
    let kept = slice;
    if (this.#skipsLine) {
      const end = slice.indexOf(LINE_FEED) + 1;
      if (end === 0) return;
      this.#skipsLine = false;
      kept = slice.subarray(end);
    }
    this.#lines.push(kept);
    if (!this.#allowance.isSpent) return;
    this.#lines.end();
    this.#skipsLine = kept.at(-1) !== LINE_FEED;
    this.#dropping = setTimeout(() => this.#keepAgain(), DROP_FOR_MS);
  }

  #drop(slice: Buffer): void {
    this.#droppedBytes += slice.length;
    this.#droppedLines += lineFeeds(slice);
    this.#skipsLine = slice.at(-1) !== LINE_FEED;
    // A copy: the slice is part of a chunk several times as long.
    this.#tail = Buffer.concat([this.#tail.subarray(-SLICE_BYTES), slice]);
  }

  #keepAgain(): void {
    clearTimeout(this.#dropping);
    this.#dropping = undefined;
    const mib = (this.#droppedBytes / 2 ** 20).toFixed(1);
    if (this.#droppedBytes > 0) {
      this.sinks.keep(
        `sconce: ${this.#droppedLines} lines (${mib} MiB) were dropped: the worker printed more than the ${(this.bytesPerS ?? 0) / 1024} KiB a second that are kept`,
      );
    }
    this.#droppedLines = 0;
    this.#droppedBytes = 0;
    this.#tail = Buffer.alloc(0);
  }
}

/** Counted by hand: a search per line costs more than a line of one character is long. */
function lineFeeds(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === LINE_FEED) count += 1;
  return count;
}
