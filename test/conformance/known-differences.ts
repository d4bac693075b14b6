import type { KnownDifference } from './comparison.js';

/** All of an answer: it has another status. */
const ALL = /./;
/** The message of an error, and therefore how its JSON is written. */
const MESSAGE = /^body\/(json\/message|written)$/;
/** Of a gRPC call. */
const ENDING = /^(code|details|trailers|messages\/\d+)/;

const WHY = 'a failed start of workers ends with the worker’s last line (147)';
const NODE = 'the failure of a workflow says which node failed and why';
const GRAPH = 'a graph that cannot be is refused with the nodes in parentheses';
const FORM = 'a form that is cut off, has another boundary or a preamble is not half a form: it is refused, or read whole';
const WORDS = 'an error in our words in the place of a Java exception’s';
const ERROR_MEMBER = 'failures below /v2 have `error` beside `code`, `type` and `message` (81)';
const GRPC_TELLS = 'conflicts, forbidden calls and failures say so, in the place of UNKNOWN without a word (F22)';

/** Differences that are meant, by the group in which they show. Each stands in docs/compatibility.md. */
export const KNOWN: Readonly<Record<string, readonly KnownDifference[]>> = {
  'rest-routes': [
    { comparisons: /^an unknown method on/, place: ALL, reason: 'a method that HTTP does not know is malformed (strict HTTP)' },
    {
      comparisons: /^what expects too much/,
      place: /^headers\/connection$/,
      reason: 'a body that is not read closes its connection, and the answer says so (57)',
    },
    {
      comparisons: /^HTTP\/1\.0/,
      place: /^headers\/connection$/,
      reason: 'what the client says of its connection holds, and HTTP/1.0 ends with its answer (F21)',
    },
  ],
  'rest-bodies': [
    { comparisons: /^JSON in another case/, place: /^body\//, reason: 'media types are the same in any case, as HTTP says' },
    { comparisons: /^a form without a name|^a part without a|^a form with a part of nothing/, place: MESSAGE, reason: WORDS },
    { comparisons: /^a form with another boundary|^a form that is cut off|^a form with a preamble/, place: ALL, reason: FORM },
  ],
  'rest-documents': [
    {
      comparisons: /^inference|^management/,
      place: /metrics\/get\/responses\/(keys|404)|models\/.*\/get\/responses\/200\/content\/application\/json\/schema\//,
      reason: 'the documents say what is answered: a description is a list, and metrics are at their port',
    },
  ],
  'rest-managing': [{ comparisons: /^fewer than none$/, place: ALL, reason: 'a negative min_worker is the caller’s fault (F24)' }],
  'rest-registering': [
    { comparisons: /^with what is no archive/, place: ALL, reason: 'what is no archive is answered like one that is cut off' },
    { comparisons: /^with an archive that is cut off/, place: MESSAGE, reason: 'what is wrong with an archive is told in parentheses' },
  ],
  'grpc-inference': [
    {
      comparisons: /^an input that is too large/,
      place: ENDING,
      reason: 'a message above the limit is RESOURCE_EXHAUSTED with both sizes (195); TorchServe resets the call',
    },
    {
      comparisons: /^a request (of no model|without a name) in a sequence/,
      place: ENDING,
      reason: 'a request that fails is told in `status` and the stream goes on (F12)',
    },
  ],
  'grpc-management': [
    { comparisons: /^registers a model again|^unregisters the default while/, place: ENDING, reason: GRPC_TELLS },
    { comparisons: /^lists without a limit/, place: /^messages\/0\/msg/, reason: 'an unset limit is 100 (F23)' },
    { comparisons: /^asks a model without workers/, place: /^details$/, reason: 'REST’s text says what is missing, in the place of the name of a Java class' },
  ],
  'failing-loads': [
    { comparisons: /^by REST|^in no time/, place: MESSAGE, reason: WHY },
    { comparisons: /^by gRPC/, place: ENDING, reason: GRPC_TELLS },
  ],
  workflows: [
    { comparisons: /^with a circle|^with a node that follows|^with two first nodes/, place: MESSAGE, reason: GRAPH },
    { comparisons: /^with a node that nobody knows/, place: MESSAGE, reason: WHY },
    { comparisons: /^with a specification that is none/, place: ALL, reason: 'a specification that cannot be is the author’s fault, and the author is told' },
    { comparisons: /^a node of the chain fails|^a branch fails|^a leaf answers no|^a request that the first/, place: MESSAGE, reason: NODE },
    { comparisons: /^the leaves answer/, place: /^body\/written$/, reason: 'several last nodes answer in the order of the graph, each as it wrote its answer' },
  ],
  'open-inference-rest': [
    {
      comparisons: /^the server/,
      place: /^body\/(json\/extensions|written)/,
      reason: 'the protocol’s `extensions` stands beside TorchServe’s `extenstion` (80)',
    },
    { comparisons: /^infer (of no model|of broken|without)/, place: /^body\/(json\/error|written)$/, reason: ERROR_MEMBER },
    {
      comparisons: /^a model’s|^infer of a version|^all models of the first|^a model of the first protocol$/,
      place: ALL,
      reason: 'versions, metadata and readiness of models are served (81)',
    },
  ],
  'open-inference-grpc': [
    { comparisons: /^the server$/, place: ENDING, reason: 'ServerMetadata is served (199)' },
    { comparisons: /^infer of BYTES/, place: /bytesContents/, reason: 'BYTES without the quotes of JSON (199)' },
  ],
  tokens: [
    { comparisons: /^the key file|^only the/, place: /^shape$/, reason: 'the key file’s last line ends with a line break, and its keys have 22 characters' },
  ],
  cors: [{ comparisons: /^health with another/, place: ALL, reason: 'what a web page of an origin that is not permitted sends is refused (64)' }],
};
