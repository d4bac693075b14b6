import { expect, it } from 'vitest';
import { archiveTime, createdOn } from './archive-time.js';

it('is 1980 unless SOURCE_DATE_EPOCH says otherwise', () => {
  expect(createdOn(archiveTime({}))).toBe('01/01/1980 00:00:00');
  expect(createdOn(archiveTime({ SOURCE_DATE_EPOCH: '1700000000' }))).toBe('14/11/2023 22:13:20');
});

it.each(['yesterday', '-1', '99999999999999'])('%s is refused', (given) => {
  expect(() => archiveTime({ SOURCE_DATE_EPOCH: given })).toThrow('SOURCE_DATE_EPOCH must be whole seconds since 1970');
});
