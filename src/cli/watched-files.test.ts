import { expect, it } from 'vitest';
import { watchedOf } from './watched-files.js';

const inFolder = watchedOf({ isFolder: true, url: 'points' });
const ofFile = watchedOf({ isFolder: false, url: 'points.onnx' });

it.each(['handler.py', 'model-config.yaml', 'model.pt', 'lib/deep/part.py', 'MAR-INF/MANIFEST.json', 'catalogs/x.txt'])('%s makes another model', (path) => {
  expect(inFolder(path)).toBe(true);
});

it.each([
  '.git/index',
  '__pycache__/handler.cpython-311.pyc',
  'venv/lib/x.py',
  '.venv/lib/x.py',
  'node_modules/a/index.js',
  'logs/ts_log.log',
  'handler.py~',
  '.handler.py.swp',
  'lib/.DS_Store',
  'new.tmp',
  'own.log',
])('%s makes no other model', (path) => {
  expect(inFolder(path)).toBe(false);
});

it('of a lone file, the file and its side files count', () => {
  const paths = ['points.onnx', 'points.yaml', 'points.labels.json', 'points.onnx.data', 'other.onnx', 'pointsX.yaml', 'points.txt'];

  expect(paths.filter(ofFile)).toEqual(['points.onnx', 'points.yaml', 'points.labels.json', 'points.onnx.data']);
});
