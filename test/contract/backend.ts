import { afterEach, describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.js';
import { LoadFailed } from '../../src/errors/backend.js';
import type { ServableModel } from '../../src/inference/servable-model.js';
import { type Body, DrivenRunner } from '../fixtures/driven-runner.js';

/** What a backend's models have to do for the cases below. */
export interface ContractModels {
  /** Answers each request of `bodies` with the text of the same place in `answers`. */
  readonly echo: { readonly model: ServableModel; readonly bodies: readonly Body[]; readonly answers: readonly string[] };
  /** Takes long enough for other things to happen first; some tenths of a second. */
  readonly slow: { readonly model: ServableModel; readonly body: Body; readonly answer: string };
  /** Cannot be loaded. */
  readonly broken: ServableModel;
}

/** What every backend promises, whatever it runs. `makeBackend` and `makeModels` are called once per case. */
export function backendContract(name: string, makeBackend: () => Backend | Promise<Backend>, makeModels: () => ContractModels | Promise<ContractModels>): void {
  describe(`${name} keeps the backend contract`, () => {
    let leave: (() => Promise<unknown>)[] = [];

    afterEach(async () => {
      for (const step of leave.reverse()) await step();
      leave = [];
    });

    async function aBackend(): Promise<{ backend: Backend; models: ContractModels }> {
      const backend = await makeBackend();
      const models = await makeModels();
      await backend.prepare(models.echo.model);
      leave.push(() => backend.stop());
      return { backend, models };
    }

    async function aLoaded(which: 'echo' | 'slow'): Promise<{ driven: DrivenRunner; backend: Backend; models: ContractModels }> {
      const { backend, models } = await aBackend();
      const driven = await DrivenRunner.loaded(backend, models[which].model);
      leave.push(() => driven.runner.stop(5000));
      return { driven, backend, models };
    }

    it('every request of a batch is answered once, and then the batch is done', async () => {
      const { driven, models } = await aLoaded('echo');

      const ended = await driven.batch(models.echo.bodies);

      expect(ended.map(({ text }) => text)).toEqual(models.echo.answers);
      expect([...driven.told].sort()).toEqual([...models.echo.bodies.map((_, index) => `part ${index}`), 'done'].sort());
      expect(driven.told.at(-1)).toBe('done');
    });

    it('batches given ahead are answered one after the other, in the order given', async () => {
      const { driven, models } = await aLoaded('echo');
      const [body = ''] = models.echo.bodies;

      await Promise.all(Array.from({ length: driven.runner.pipelineDepth }, () => driven.batch([body])));

      expect(driven.told).toEqual(Array.from({ length: driven.runner.pipelineDepth }, () => ['part 0', 'done']).flat());
    });

    it('stop lets what is in flight finish, and then reports one expected exit', async () => {
      const { driven, models } = await aLoaded('slow');

      const answered = driven.ask(models.slow.body);
      await driven.runner.stop(20_000);

      expect((await answered).text).toBe(models.slow.answer);
      expect(driven.told).toEqual(['part 0', 'done', 'exit']);
      expect(driven.exits).toEqual([expect.objectContaining({ expected: true })]);
    });

    it('stop ends a batch that takes longer than the grace, and nothing is told of it', async () => {
      const { driven, models } = await aLoaded('slow');

      void driven.batch([models.slow.body]);
      await driven.runner.stop(1);

      expect(driven.told).toEqual(['exit']);
      expect(driven.exits).toEqual([expect.objectContaining({ expected: true })]);
    });

    it('kill reports one exit, and after it nothing more is told', async () => {
      const { driven, backend, models } = await aLoaded('slow');

      void driven.batch([models.slow.body]);
      driven.runner.kill();
      await driven.exited;
      driven.runner.kill();
      await driven.runner.stop(1000);
      // As long as the killed batch would have taken, and more.
      const other = await DrivenRunner.loaded(backend, models.slow.model);
      leave.push(() => other.runner.stop(5000));
      await other.ask(models.slow.body);

      expect(driven.told).toEqual(['exit']);
      expect(driven.exits).toEqual([expect.objectContaining({ expected: true })]);
    });

    it('a model that cannot be loaded rejects with the reason, and then one unexpected exit is reported', async () => {
      const { backend, models } = await aBackend();
      const driven = new DrivenRunner(backend, models.broken);

      const failure = await driven.runner.load().catch((error: unknown) => error);
      const toldBefore = [...driven.told];
      await driven.exited;

      expect(LoadFailed.is(failure)).toBe(true);
      expect(toldBefore).toEqual([]);
      expect(driven.exits).toEqual([expect.objectContaining({ expected: false })]);
    });

    it('a runner that never loaded stops without an exit', async () => {
      const { backend, models } = await aBackend();
      const driven = new DrivenRunner(backend, models.echo.model);

      await driven.runner.stop(1000);

      expect(driven.exits).toEqual([]);
    });

    it('a runner stopped while it loads reports its exit and rejects the load', async () => {
      const { backend, models } = await aBackend();
      const driven = new DrivenRunner(backend, models.echo.model);

      const failure = driven.runner.load().catch((error: unknown) => error);
      await driven.runner.stop(1000);

      expect(LoadFailed.is(await failure)).toBe(true);
      expect(driven.exits).toEqual([expect.objectContaining({ expected: true })]);
    });
  });
}
