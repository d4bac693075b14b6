import { PackRefused } from '../errors/packing.js';

/** The one time that an archive carries, so that the same input makes the same bytes: SOURCE_DATE_EPOCH (seconds since 1970), else 1 January 1980. Throws PackRefused. */
export function archiveTime(env: Readonly<Record<string, string | undefined>>): Date {
  const given = env.SOURCE_DATE_EPOCH;
  if (!given) return new Date(Date.UTC(1980, 0, 1));
  const time = new Date(/^\d+$/.test(given) ? Number(given) * 1000 : Number.NaN);
  if (Number.isNaN(time.getTime())) throw PackRefused({ message: `SOURCE_DATE_EPOCH must be whole seconds since 1970, and is '${given}'.` });
  return time;
}

/** As manifests write it: `01/01/1980 00:00:00`, in UTC. */
export function createdOn(time: Date): string {
  const [date = '', clock = ''] = time.toISOString().split(/[T.]/);
  return `${date.split('-').reverse().join('/')} ${clock}`;
}
