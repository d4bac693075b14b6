import type { SconceError } from '../errors/sconce-error.js';
import type { QuotaName } from '../errors/tenant.js';
import type { Answer, ResponsePart } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Tenant, Tenants } from '../inference/tenant.js';
import { RequestAccount } from './request-account.js';

/** What one tenant's callers have in hand. */
export interface InHand {
  readonly requests: number;
  readonly bodyBytes: number;
}

/**
 * The quotas of requests. A request counts on the tenant of whoever asks. Invariant: what was let in is given back once, when its answer ends,
 * however it ends: a stream with its last part, a cancelled one when nothing runs for it any more.
 */
export class RequestQuotas {
  readonly #accounts: ReadonlyMap<string, RequestAccount>;

  constructor(
    tenants: Pick<Tenants, 'all'>,
    /** Told of each refusal. Must not throw. */
    private readonly refused: (tenant: string, quota: QuotaName) => void = () => undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#accounts = new Map(tenants.all.map((tenant) => [tenant.name, new RequestAccount(tenant, now)]));
  }

  /** Hands a request on with an answer that gives its place back, or answers it with the refusal. */
  submit(request: InferenceRequest, answer: Answer, submit: (request: InferenceRequest, answer: Answer) => void): void {
    const { principal, inputs } = request;
    // A gate lets in no principal of a tenant that isn't there.
    const account = this.#accounts.get(principal.tenant);
    if (account === undefined) return submit(request, answer);
    const bodyBytes = inputs.reduce((sum, { value }) => sum + value.byteLength, 0);
    const beyond = account.enter(bodyBytes);
    if (beyond !== undefined) {
      this.refused(principal.tenant, beyond.quota);
      return answer.fail(beyond.error);
    }
    const counted = new CountedAnswer(answer, () => account.leave(bodyBytes));
    try {
      submit(request, counted);
    } catch (error) {
      counted.leave();
      throw error;
    }
  }

  inHand({ name }: Tenant): InHand {
    const account = this.#accounts.get(name);
    return { requests: account?.inFlight ?? 0, bodyBytes: account?.bytesInFlight ?? 0 };
  }
}

/** An answer that tells of its end, before its client hears of it: whoever asks again at once finds the place free. */
class CountedAnswer implements Answer {
  #left = false;

  constructor(
    private readonly answer: Answer,
    private readonly ended: () => void,
  ) {}

  part(part: ResponsePart): void {
    if (part.last) this.leave();
    this.answer.part(part);
  }

  fail(error: SconceError): void {
    this.leave();
    this.answer.fail(error);
  }

  leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.ended();
  }
}
