import { describe, expect, it } from 'vitest';
import { InstallerComplaint } from './installer-complaint.js';

function complaint(output: string): string | undefined {
  const found = new InstallerComplaint();
  for (const line of output.split('\n')) found.add(line);
  return found.line;
}

const NOT_FOUND = `Looking in links: /opt/wheels
ERROR: Could not find a version that satisfies the requirement nope (from versions: none)
ERROR: No matching distribution found for nope

[notice] A new release of pip is available: 23.2.1 -> 26.2
[notice] To update, run: pip install --upgrade pip
`;
const BUILD_NEEDS = `  Installing build dependencies: finished with status 'error'
  ╰─> [3 lines of output]
      Looking in links: /opt/wheels
      ERROR: No matching distribution found for setuptools>=40.8.0
      [end of output]
error: subprocess-exited-with-error
`;
const SET_UP = `Processing ./bad
  Preparing metadata (setup.py): finished with status 'error'
  error: subprocess-exited-with-error

  × python setup.py egg_info did not run successfully.
  │ exit code: 1
  ╰─> [6 lines of output]
      Traceback (most recent call last):
        File "<string>", line 1, in <module>
      RuntimeError: no compiler here
      [end of output]

  note: This error originates from a subprocess, and is likely not a problem with pip.
error: metadata-generation-failed

× Encountered error while generating package metadata.
╰─> See above for output.

note: This is an issue with the package mentioned above, not pip.
hint: See above for details.
`;

describe('what an installer complains of', () => {
  it.each([
    ['its last error, not what it says of itself', NOT_FOUND, 'ERROR: No matching distribution found for nope'],
    ['the last words of the set-up of a package', SET_UP, 'RuntimeError: no compiler here'],
    ['what a package needs for its set-up', BUILD_NEEDS, 'ERROR: No matching distribution found for setuptools>=40.8.0'],
    ['its last line, where it names no error', 'Collecting x\nno room\n\nWARNING: The directory is not owned\n', 'no room'],
    ['nothing, where it said nothing', '\n', undefined],
  ])('is %s', (_, output, line) => {
    expect(complaint(output)).toBe(line);
  });

  it('is cut where it goes on for ever', () => {
    expect(complaint(`ERROR: ${'x'.repeat(1000)}`)).toHaveLength(300);
  });
});
