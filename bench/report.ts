/** A figure of both servers in one run. */
interface Row {
  readonly what: string;
  readonly sconce: number;
  readonly torchserve: number | undefined;
  readonly unit: string;
  /** How many times better Sconce is. */
  readonly ratio: number | undefined;
}

/** Says each figure as it comes, and all of them as a table at the end. */
export class Report {
  readonly #rows: Row[] = [];

  note(what: string, unit: string, sconce: number, torchserve: number | undefined, lowerIsBetter = false): void {
    const ratio = torchserve === undefined ? undefined : lowerIsBetter ? torchserve / sconce : sconce / torchserve;
    this.#rows.push({ what, unit, sconce, torchserve, ratio });
    const other = torchserve === undefined ? '' : `  TorchServe ${torchserve.toFixed(2)} ${unit}  ratio ${ratio?.toFixed(2)}×`;
    console.log(`${what.padEnd(62)} Sconce ${sconce.toFixed(2)} ${unit}${other}`);
  }

  table(): void {
    console.log('\n| what | Sconce | TorchServe 0.12 | ratio |\n| --- | --- | --- | --- |');
    for (const { what, unit, sconce, torchserve, ratio } of this.#rows) {
      console.log(
        `| ${what} | ${sconce.toFixed(2)} ${unit} | ${torchserve === undefined ? '–' : `${torchserve.toFixed(2)} ${unit}`} | ${ratio === undefined ? '–' : `${ratio.toFixed(2)}×`} |`,
      );
    }
  }
}
