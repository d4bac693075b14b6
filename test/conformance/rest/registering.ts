import { pathToFileURL } from 'node:url';
import type { ComparisonGroup } from '../comparison.js';
import type { Models } from '../models.js';
import { jsonBody, manages } from '../rest-ask.js';

/** Registering and unregistering, and all that is wrong with either. */
export function registering({ speaker, secondSpeaker, broken, cutOff, open }: Models): ComparisonGroup {
  const outside = encodeURIComponent(pathToFileURL(open).href);
  return {
    name: 'rest-registering',
    settings: {},
    store: [speaker, secondSpeaker, broken, cutOff],
    comparisons: [
      manages('without a url', 'POST', '/models'),
      manages('with an empty url', 'POST', '/models?url='),
      manages('with a way out of the store', 'POST', '/models?url=../speaker.mar'),
      manages('with a name that isn’t there', 'POST', '/models?url=nobody.mar'),
      manages('with a url that answers nobody', 'POST', '/models?url=http://127.0.0.1:1/speaker.mar'),
      manages('with a url of a kind that isn’t allowed', 'POST', '/models?url=ftp://127.0.0.1/nobody.mar'),
      manages('with a file that isn’t there', 'POST', '/models?url=file:///nowhere/speaker.mar'),
      manages('with an unknown runtime', 'POST', '/models?url=speaker.mar&runtime=cobol'),
      manages('with what is no archive', 'POST', '/models?url=broken.mar'),
      manages('with an archive that is cut off', 'POST', '/models?url=cut-off.mar'),

      manages('with no workers', 'POST', '/models?url=speaker.mar'),
      manages('with no workers, described', 'GET', '/models/speaker'),
      manages('the same again', 'POST', '/models?url=speaker.mar'),
      manages('its second version', 'POST', '/models?url=speaker-2.0.mar&initial_workers=0&synchronous=true'),
      manages('its second version again', 'POST', '/models?url=speaker-2.0.mar&initial_workers=1'),
      manages('under another name', 'POST', '/models?url=speaker.mar&model_name=other&initial_workers=1&batch_size=4&max_batch_delay=7&response_timeout=8'),
      manages('under another name, described', 'GET', '/models/other'),
      manages('with numbers that are none', 'POST', '/models?url=speaker.mar&model_name=odd&batch_size=four&max_batch_delay=&response_timeout=1.5'),
      manages('with numbers that are none, described', 'GET', '/models/odd'),
      manages('with the runtime python3', 'POST', '/models?url=speaker.mar&model_name=third&runtime=python3'),
      manages('with a handler of its own', 'POST', '/models?url=speaker.mar&model_name=fourth&handler=nothing:here'),
      manages('by JSON', 'POST', '/models', jsonBody({ url: 'speaker.mar', model_name: 'json', batch_size: '2', initial_workers: 1, max_batch_delay: 20 })),
      manages('by JSON, described', 'GET', '/models/json'),
      manages('by JSON in single quotes', 'POST', '/models', jsonBody("{'url': 'speaker.mar', model_name: quoted, 'max_batch_delay': 5}")),
      manages('by JSON beside a query, which is dropped', 'POST', '/models?url=speaker.mar', jsonBody({ model_name: 'nobody' })),
      manages('by JSON with an empty url', 'POST', '/models', jsonBody({ url: '' })),
      manages('by a form, which isn’t read', 'POST', '/models', { body: 'url=speaker.mar', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }),
      manages('from a file outside', 'POST', `/models?url=${outside}`),
      manages('from a file outside, again', 'POST', `/models?url=${outside}&model_name=again`),
      manages('in the background', 'POST', '/models?url=speaker.mar&model_name=later&initial_workers=1&synchronous=false'),

      manages('PUT of all models', 'PUT', '/models'),
      manages('DELETE of all models', 'DELETE', '/models'),
      manages('PATCH of a model', 'PATCH', '/models/speaker'),
      manages('a path that is none', 'GET', '/nothing'),
      manages('predictions at the wrong door', 'POST', '/predictions/speaker', { body: 'x' }),

      manages('the default goes while there is another', 'DELETE', '/models/speaker/1.0'),
      manages('the default goes unnamed while there is another', 'DELETE', '/models/speaker'),
      manages('a version goes that isn’t there', 'DELETE', '/models/speaker/9.9'),
      manages('a model goes that isn’t there', 'DELETE', '/models/nobody'),
      manages('a version of a model goes that isn’t there', 'DELETE', '/models/nobody/1.0'),
      manages('the second version goes', 'DELETE', '/models/speaker/2.0'),
      manages('the last version goes', 'DELETE', '/models/speaker/1.0'),
      ...['other', 'odd', 'third', 'fourth', 'json', 'quoted', 'open', 'later'].map((name) => manages(`${name} goes`, 'DELETE', `/models/${name}`)),
    ],
  };
}
