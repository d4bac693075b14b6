import type { TokenGate } from '../admission/token-gate.js';
import { credentialsOf } from '../api/credentials.js';
import { createRouter } from '../api/router.js';
import type { Settings } from '../config/settings.js';
import { GrpcListener } from '../listener/grpc-listener.js';
import { HttpListener } from '../listener/http-listener.js';
import type { TlsKeeper } from '../listener/tls-keeper.js';
import type { Log } from '../observability/observer.js';
import { type ApiParts, methodsOf, routesOf } from './apis.js';
import { bindAddress, callerRules, corsHeaders, grpcDoorsOf, hostRules, httpDoorsOf, httpLimits } from './doors.js';

export interface ListenerParts {
  readonly apis: ApiParts;
  readonly tokens: TokenGate;
  readonly tls: TlsKeeper | undefined;
  /** Hosts that are reached from beyond this machine. */
  readonly publicHosts: ReadonlySet<string>;
  readonly log: Log;
}

/** The listeners that the settings ask for, none of them open yet. The first is the one of the inference API. */
export function createListeners(settings: Settings, { apis, tokens, tls, publicHosts, log }: ListenerParts): readonly (HttpListener | GrpcListener)[] {
  const { observer } = apis;
  const http = httpDoorsOf(settings).map(({ address, serves, connector }) => {
    const handler = createRouter(routesOf(serves, settings, apis), {
      serves,
      authorize: (scopes, request) => tokens.authorize(scopes, credentialsOf(request)),
      log: apis.log,
    });
    return new HttpListener({
      address: bindAddress(address),
      connector,
      handler,
      limits: httpLimits(settings),
      tls: address.scheme === 'https' ? tls : undefined,
      cors: corsHeaders(settings),
      http2: settings.http2,
      callers: callerRules(settings, { serves, address, isPublic: address.kind === 'tcp' && publicHosts.has(address.host) }),
      observer,
      log,
    });
  });
  const grpc = grpcDoorsOf(settings).map((door) => {
    const methods = methodsOf(door.api, settings, apis);
    const authorize = tokens.authorize.bind(tokens);
    const hosts = hostRules(settings, publicHosts.has(door.host));
    return new GrpcListener({ ...door, methods, authorize, tls: settings.enableGrpcSsl ? tls : undefined, hosts, observer, log });
  });
  return [...http, ...grpc];
}
