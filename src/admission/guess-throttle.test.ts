import { expect, it } from 'vitest';
import { GuessThrottle, sourceOf } from './guess-throttle.js';

it.each([
  ['/127.0.0.1:53514', '/127.0.0.1'],
  ['/[::1]:53514', '/[0:0:0:0::/64]'],
  ['/[2001:db8:1:2:3:4:5:6]:1', '/[2001:db8:1:2::/64]'],
  ['/[2001:db8::9]:1', '/[2001:db8:0:0::/64]'],
  ['/[fe80::1%eth0]:1', '/[fe80:0:0:0::/64]'],
  ['/run/sconce.sock', '/run/sconce.sock'],
])('%s comes from %s', (peer, source) => {
  expect(sourceOf(peer)).toBe(source);
});

it('a source that has been quiet for ten minutes begins anew', () => {
  let nowMs = 0;
  const throttle = new GuessThrottle({ perSource: 1, inAll: 1000 }, () => nowMs);
  expect([throttle.failed('/10.0.0.1:1'), throttle.failed('/10.0.0.1:2')]).toEqual([undefined, 1]);
  nowMs += 600_001;
  expect(throttle.failed('/10.0.0.1:3')).toBeUndefined();
});

it('waits end at five minutes', () => {
  let nowMs = 0;
  const throttle = new GuessThrottle({ perSource: 1, inAll: 1000 }, () => nowMs);
  let waitS: number | undefined;
  for (let i = 0; i < 40; i++) {
    nowMs += (waitS ?? 0) * 1000;
    waitS = throttle.failed('/10.0.0.1:1');
  }
  expect(waitS).toBe(300);
});

it('remembers a bounded number of sources, those that failed last', () => {
  const throttle = new GuessThrottle({ perSource: 1, inAll: 1_000_000 }, () => 0);
  throttle.failed('/10.0.0.1:1');
  for (let i = 0; i < 10_000; i++) throttle.failed(`/11.0.${i >> 8}.${i & 255}:1`);
  expect([throttle.failed('/10.0.0.1:1'), throttle.failed('/11.0.39.15:1')]).toEqual([undefined, 1]);
});
