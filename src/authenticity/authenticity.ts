import { SignatureRefused } from '../errors/signature.js';
import type { ModelSignature } from '../inference/model-signature.js';
import type { Log } from '../observability/observer.js';
import type { TaskPool } from '../threads/task-pool.js';
import type { Examined, ExamineTask, Exhibit } from './examine.js';
import { judge, type ServedAs } from './judge.js';
import { NotAuthentic } from './not-authentic.js';
import type { TrustPolicy } from './trust-policy.js';

export interface AuthenticityOptions {
  /** `require` refuses what isn't trusted; `warn` serves it and says so. */
  readonly level: 'warn' | 'require';
  readonly policy: TrustPolicy;
  readonly maxFiles: number;
  readonly pool: Pick<TaskPool<ExamineTask, Examined>, 'run'>;
  readonly log: Log;
}

/** The step of the model's way in which it is asked who vouches for it. A server that doesn't ask has none of these. */
export class Authenticity {
  constructor(private readonly options: AuthenticityOptions) {}

  /** Whether what isn't trusted is refused. */
  get refuses(): boolean {
    return this.options.level === 'require';
  }

  /** Checks the signatures of what will be served. It must lie where nobody else can change it. */
  examine(exhibit: Exhibit): Promise<Examined> {
    const { policy, maxFiles, pool } = this.options;
    return pool.run({ exhibit, signers: policy.signers, maxFiles });
  }

  /** Gives what is known of the model's origin, and tells the log. Throws SignatureRefused at the level `require`. */
  judge(examined: Examined, as: ServedAs & { readonly url: string }): ModelSignature {
    const { level, policy, log } = this.options;
    const model = `Model ${as.name} ${as.version}`;
    try {
      const found = judge(examined, policy, as);
      if (found.state === 'permitted') log.warn(`${model} is served unsigned, as ${policy.file} permits: ${found.why}`);
      else log.info(`${model} is ${found.state}: signer ${found.signer}${found.identity === undefined ? '' : `, ${found.identity}`}`);
      return found;
    } catch (error) {
      if (!(error instanceof NotAuthentic)) throw error;
      const why = `${error.message}${error.word === 'missing' ? `; \`sconce sign\` makes one, or list ${as.name} as unsigned in ${policy.file}` : ''}`;
      if (level === 'require') throw SignatureRefused({ url: as.url, word: error.word, why }, error);
      log.warn(`${model} is served and not verified: ${why}`);
      return { state: 'unverified', signer: undefined, identity: undefined, subject: undefined, sha256: examined.sha256, why: error.message };
    }
  }
}
