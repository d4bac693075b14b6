import { expect, it } from 'vitest';
import { readPythonSource } from './source-findings.js';

it('tells of what a file imports and calls, each once, with its line', () => {
  const { findings } = readPythonSource(`import os, subprocess as sp
from urllib import request
if True: import socket
def run(code):
    exec(code); eval(code)
    os.system(
        code)
    torch.load(path, weights_only=False)
    exec(code)
`);

  expect(findings.map(({ line, name }) => [line, name])).toEqual([
    [1, 'subprocess'],
    [2, 'urllib'],
    [3, 'socket'],
    [5, 'exec'],
    [5, 'eval'],
    [6, 'os.system'],
    [8, 'torch.load(weights_only=False)'],
  ]);
});

it('is not led astray by strings, comments and methods of the same name', () => {
  const { findings } = readPythonSource(`"""
import socket
exec(x)
"""
# import subprocess
text = 'eval(1)' + f"os.system({x})" + r'\\' + "a\\"b; exec(1)"
model.eval()
self.model.eval()
re.compile('x')
def exec(self): pass
raise X from error
yield from socket
`);

  expect(findings).toEqual([]);
});

it('finds the classes of the top level only', () => {
  expect([...readPythonSource('class A: pass\nclass B(A):\n    class C: pass\nif x:\n    class D: pass\nx = "class E: pass"\n').classes]).toEqual(['A', 'B']);
});

it('gets through what is no Python, and stops where it is told to', () => {
  expect(readPythonSource(`${'('.repeat(10_000)}"""${'\\'.repeat(10_001)}`).findings).toEqual([]);
  expect(readPythonSource(`${'x\n'.repeat(1000)}exec(1)\n`, 500).findings).toEqual([]);
});
