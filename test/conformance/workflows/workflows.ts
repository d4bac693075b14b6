import type { Comparison, ComparisonGroup } from '../comparison.js';
import type { Models } from '../models.js';
import { asks, jsonBody, manages } from '../rest-ask.js';

function flows(name: string, workflow: string, wish: Readonly<Record<string, string>> = {}): Comparison {
  return asks(name, { path: `/wfpredict/${workflow}`, ...jsonBody(wish) });
}

/** Workflows out of archives of the official archiver: chains, branches, faults, and specifications that cannot be. */
export function workflows({ step, workflowArchives }: Models): ComparisonGroup {
  return {
    name: 'workflows',
    settings: {},
    store: [step, ...workflowArchives],
    comparisons: [
      manages('no workflows', 'GET', '/workflows'),
      manages('no workflow', 'GET', '/workflows/nobody'),
      flows('a request of no workflow', 'nobody'),
      manages('without a url', 'POST', '/workflows'),
      manages('with a name that isn’t there', 'POST', '/workflows?url=nobody.war'),
      manages('with a way out of the store', 'POST', '/workflows?url=../sequential.war'),
      manages('with a url that answers nobody', 'POST', '/workflows?url=http://127.0.0.1:1/a.war'),
      manages('with a circle', 'POST', '/workflows?url=cycle.war'),
      manages('with a node that follows itself', 'POST', '/workflows?url=self.war'),
      manages('with a node that follows another twice', 'POST', '/workflows?url=twice.war'),
      manages('with two first nodes', 'POST', '/workflows?url=two-starts.war'),
      manages('with a node that nobody knows', 'POST', '/workflows?url=unknown.war'),
      manages('with a model that isn’t there', 'POST', '/workflows?url=missing-model.war'),
      manages('with a specification that is none', 'POST', '/workflows?url=broken.war'),
      manages('after which nothing is left', 'GET', '/models'),

      manages('a chain', 'POST', '/workflows?url=sequential.war'),
      manages('the chain again', 'POST', '/workflows?url=sequential.war'),
      manages('branches', 'POST', '/workflows?url=parallel.war&workflow_name=branches'),
      manages('leaves', 'POST', '/workflows?url=leaves.war'),
      manages('all workflows', 'GET', '/workflows'),
      manages('one workflow of them', 'GET', '/workflows?limit=1'),
      manages('the next', 'GET', '/workflows?limit=1&next_page_token=1'),
      manages('the chain is described', 'GET', '/workflows/sequential'),
      manages('its models are', 'GET', '/models'),
      manages('a node is described', 'GET', '/models/sequential__b'),
      manages('a method that is none', 'PUT', '/workflows/sequential'),

      flows('the chain answers', 'sequential'),
      flows('the branches answer', 'branches'),
      flows('the leaves answer', 'leaves'),
      asks('in a path of another case', { path: '/WFPredict/sequential', ...jsonBody({}) }),
      asks('a node by itself', { path: '/predictions/sequential__a', ...jsonBody({}) }),
      flows('a node of the chain fails', 'sequential', { b: 'raise' }),
      flows('a branch fails', 'branches', { a: 'raise' }),
      flows('a leaf answers no object', 'leaves', { a: 'list' }),
      asks('a request that the first function cannot read', { path: '/wfpredict/sequential', body: 'no JSON' }),
      flows('the chain goes on', 'sequential'),

      manages('the chain goes', 'DELETE', '/workflows/sequential'),
      manages('the branches go', 'DELETE', '/workflows/branches'),
      manages('the leaves go', 'DELETE', '/workflows/leaves'),
      manages('what isn’t there goes', 'DELETE', '/workflows/nobody'),
      flows('a request of what is gone', 'sequential'),
      manages('no models are left', 'GET', '/models'),
    ],
  };
}
