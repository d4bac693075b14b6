declare module 'seek-bzip' {
  /** Throws an Error with an `errorCode` for what is no bzip2. */
  function decode(input: Uint8Array, output: { writeByte(byte: number): void }, multistream: boolean): void;
  export default { decode };
}
