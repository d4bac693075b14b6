import { expect, it } from 'vitest';
import { visibleEnvironment } from './visible-environment.js';

const SEEN = { PATH: '/bin', LANG: 'C', LC_ALL: 'C', OMP_NUM_THREADS: '2', TOKENIZERS_PARALLELISM: 'false', CUDA_VISIBLE_DEVICES: '0', PYTHONUNBUFFERED: '1' };
const KEPT_AWAY = {
  AWS_SECRET_ACCESS_KEY: 'x',
  HF_TOKEN: 'x',
  TS_KEYSTORE_PASS: 'x',
  NODE_OPTIONS: '--inspect',
  DATABASE_URL: 'x',
  TORCH_API_KEY: 'x',
  NVIDIA_API_TOKEN: 'x',
  TORCH_HOME: '/of/the/server',
  TORCHINDUCTOR_CACHE_DIR: '/of/the/server',
  HOME: '/root',
};

it('workers see settings of libraries, and neither secrets nor folders of the server', () => {
  expect(visibleEnvironment({ ...SEEN, ...KEPT_AWAY }, [])).toEqual(SEEN);
});

it('what is granted by name is seen, whatever it is', () => {
  expect(visibleEnvironment(KEPT_AWAY, ['HF_*', 'TORCH_HOME'])).toEqual({ HF_TOKEN: 'x', TORCH_HOME: '/of/the/server' });
});
