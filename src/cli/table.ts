/** Prints rows under a head in columns; plain text that `cut` and `awk` can read, since no cell holds two blanks in a row. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
  process.stdout.write(`${[head, ...rows].map(line).join('\n')}\n`);
}
