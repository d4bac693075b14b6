import type { ComparisonGroup } from '../comparison.js';
import type { Models } from '../models.js';
import { manages } from '../rest-ask.js';

/** Scaling, versions, descriptions and pages of the list. */
export function managing({ speaker, secondSpeaker, configured }: Models): ComparisonGroup {
  const registered = ['a', 'b', 'c', 'd'].map((name) => manages(`${name} is registered`, 'POST', `/models?url=speaker.mar&model_name=${name}`));
  const unregistered = ['a', 'b', 'c', 'd', 'configured'].map((name) => manages(`${name} goes`, 'DELETE', `/models/${name}`));
  return {
    name: 'rest-managing',
    settings: {},
    store: [speaker, secondSpeaker, configured],
    comparisons: [
      manages('no models', 'GET', '/models'),
      ...registered,
      manages('a second version of a', 'POST', '/models?url=speaker-2.0.mar&model_name=a'),

      manages('all models', 'GET', '/models'),
      manages('two models', 'GET', '/models?limit=2'),
      manages('the next two', 'GET', '/models?limit=2&next_page_token=2'),
      manages('a page behind the last', 'GET', '/models?limit=2&next_page_token=4'),
      manages('a page far behind the last', 'GET', '/models?next_page_token=99'),
      manages('no models of some', 'GET', '/models?limit=0'),
      manages('fewer than none', 'GET', '/models?limit=-1'),
      manages('too many', 'GET', '/models?limit=101'),
      manages('a limit that is no number', 'GET', '/models?limit=x&next_page_token=y'),
      manages('a page before the first', 'GET', '/models?next_page_token=-1'),
      manages('a limit named twice', 'GET', '/models?limit=1&limit=3'),

      manages('a model', 'GET', '/models/a'),
      manages('a version', 'GET', '/models/a/2.0'),
      manages('all versions', 'GET', '/models/b/all'),
      manages('no version', 'GET', '/models/a/9.9'),
      manages('no model', 'GET', '/models/nobody'),
      manages('no model in all versions', 'GET', '/models/nobody/all'),
      manages('what a model says of itself without a worker', 'GET', '/models/a?customized=true'),
      manages('what no model says of itself', 'GET', '/models/nobody?customized=true'),
      manages('readiness without a worker', 'GET', '/v1/models/a'),
      manages('readiness of no model', 'GET', '/v1/models/nobody'),
      manages('readiness by POST', 'POST', '/v1/models/a'),

      manages('a version becomes the default', 'PUT', '/models/a/2.0/set-default'),
      manages('the default is described', 'GET', '/models/a'),
      manages('no version becomes the default', 'PUT', '/models/a/9.9/set-default'),
      manages('no model’s version becomes the default', 'PUT', '/models/nobody/1.0/set-default'),
      manages('the default by GET', 'GET', '/models/a/1.0/set-default'),
      manages('the default by POST', 'POST', '/models/a/1.0/set-default'),
      manages('something else of a version', 'PUT', '/models/a/1.0/something'),

      manages('a worker', 'PUT', '/models/a?synchronous=true'),
      manages('what a model says of itself', 'GET', '/models/a?customized=true'),
      manages('what a version says of itself', 'GET', '/models/a/2.0?customized=true'),
      manages('what all versions say of themselves', 'GET', '/models/b/all?customized=true'),
      manages('what a model doesn’t say of itself', 'GET', '/models/a?customized=false'),
      manages('readiness with a worker', 'GET', '/v1/models/a'),
      manages('two workers', 'PUT', '/models/a?min_worker=2&synchronous=true'),
      manages('two workers are described', 'GET', '/models/a'),
      manages('between one and three', 'PUT', '/models/a?min_worker=1&max_worker=3&synchronous=true'),
      manages('between one and three is described', 'GET', '/models/a'),
      manages('a worker of a version', 'PUT', '/models/a/1.0?min_worker=1&synchronous=true'),
      manages('no workers of a version in the query', 'PUT', '/models/a?min_worker=0&model_version=1.0&synchronous=true'),
      manages('numbers that are none', 'PUT', '/models/a?min_worker=x&synchronous=true'),
      manages('more at least than at most', 'PUT', '/models/a?min_worker=2&max_worker=1'),
      manages('fewer than none', 'PUT', '/models/a?min_worker=-1&synchronous=true'),
      manages('workers of no model', 'PUT', '/models/nobody?min_worker=1'),
      manages('workers of no version', 'PUT', '/models/a/9.9?min_worker=1'),
      manages('no workers', 'PUT', '/models/a?min_worker=0&synchronous=true'),
      manages('no workers are described', 'GET', '/models/a'),
      manages('workers in the background', 'PUT', '/models/b?min_worker=1'),

      manages('a model with a configuration', 'POST', '/models?url=configured.mar&batch_size=2&initial_workers=0&response_timeout=9'),
      manages('a model with a configuration is described', 'GET', '/models/configured'),

      manages('the first version of a goes', 'DELETE', '/models/a/1.0'),
      ...unregistered,
    ],
  };
}
