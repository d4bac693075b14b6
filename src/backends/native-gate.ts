/**
 * Ending a worker thread while it is inside a native session's run aborts the whole process (onnxruntime-node throws across the boundary).
 * This gate, shared between the thread and its owner, keeps the two apart.
 *
 *  value     event → next                              promise while here
 *  OUTSIDE   thread enters → INSIDE, owner → CLOSED    the thread runs JavaScript only: it may be ended
 *  INSIDE    thread leaves → OUTSIDE, owner → DOOMED   the thread is in native code: it must not be ended
 *  CLOSED    –                                         the thread never enters again; its owner ends it
 *  DOOMED    thread leaves → ends itself               its owner has given it up
 */
const OUTSIDE = 0;
const INSIDE = 1;
const CLOSED = 2;
const DOOMED = 3;

export class NativeGate {
  readonly #state: Int32Array;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(4)) {
    this.#state = new Int32Array(memory);
  }

  /** The thread is about to call native code. False: it was closed, and the thread has to end itself. */
  enter(): boolean {
    return Atomics.compareExchange(this.#state, 0, OUTSIDE, INSIDE) === OUTSIDE;
  }

  /** The thread is back from native code. False: it was given up meanwhile, and has to end itself. */
  leave(): boolean {
    return Atomics.compareExchange(this.#state, 0, INSIDE, OUTSIDE) === INSIDE;
  }

  /** The owner wants the thread's end. `may-end`: the owner may end it now, nothing native will start. `ends-itself`: it ends when it comes back from native code. */
  close(): 'may-end' | 'ends-itself' {
    if (Atomics.compareExchange(this.#state, 0, OUTSIDE, CLOSED) === OUTSIDE) return 'may-end';
    if (Atomics.compareExchange(this.#state, 0, INSIDE, DOOMED) === INSIDE) return 'ends-itself';
    return Atomics.load(this.#state, 0) === DOOMED ? 'ends-itself' : this.#closeAgain();
  }

  /** Between the two attempts above the thread may have come back from native code; from here on it cannot be missed more than once more. */
  #closeAgain(): 'may-end' | 'ends-itself' {
    return Atomics.load(this.#state, 0) === CLOSED ? 'may-end' : this.close();
  }
}
