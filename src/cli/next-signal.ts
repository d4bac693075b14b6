/** Resolves at the first SIGTERM or SIGINT, with the exit code of who ends by it; a second one ends the process at once. */
export function nextSignal(): Promise<number> {
  return new Promise((resolve) => {
    let asked = false;
    const heard = (signal: NodeJS.Signals) => {
      const code = signal === 'SIGINT' ? 130 : 143;
      if (asked) process.exit(code);
      asked = true;
      resolve(code);
    };
    process.on('SIGTERM', heard);
    process.on('SIGINT', heard);
  });
}
