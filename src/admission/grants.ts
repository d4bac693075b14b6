import { GRANTED_SCOPES, type Grant } from '../inference/principal.js';

/** The words of a grant, as an operator writes them. `admin` is all of the others, for the same models. */
const WORDS = ['infer', 'manage', 'metrics', 'admin'] as const;
const GRANT = /^(infer|manage|metrics|admin)(?::([\x21-\x7e]{1,256}))?$/;

/** What is allowed, for messages. */
export const GRANT_FORM = `${WORDS.join(', ')}, each alone or with a pattern of model names: infer:resnet-*`;

/** The grants of `infer`, `infer:resnet-*`, `admin`; undefined where the text is none. */
export function readGrant(text: string): readonly Grant[] | undefined {
  const [, word, pattern = '*'] = GRANT.exec(text) ?? [];
  switch (word) {
    case undefined:
      return undefined;
    case 'infer':
    case 'manage':
    case 'metrics':
      return [{ scope: word, models: [pattern] }];
    default:
      return GRANTED_SCOPES.map((scope) => ({ scope, models: [pattern] }));
  }
}
