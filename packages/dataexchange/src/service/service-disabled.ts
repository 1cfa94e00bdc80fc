import type { PluginService, ServiceDeps } from '../plugin/service.ts'
import type { ServiceConfig } from './service.ts'

/**
 * The stub that stands in for the service under `node --conditions=no_dataexchange` (section 9): of the
 * same shape, but it binds no port and writes nothing.
 */
export class Service implements PluginService {
  readonly name: string = 'dataexchange-disabled'
  readonly order: number = 110

  /** The configuration is accepted, so that callers need not know, and not used. */
  // biome-ignore lint/complexity/noUselessConstructor: of the same shape as the service it stands in for
  constructor(_config: ServiceConfig = {}) {}

  /** Always undefined: no folder is in use. */
  get folders(): { inbox: string; received: string } | undefined {
    return undefined
  }

  /** Always empty: nothing asks to be stored. */
  get refusals(): Record<string, number> {
    return {}
  }

  /** Does nothing but tell, in the log, that data exchange is off. */
  async start(deps: ServiceDeps, _signal?: AbortSignal): Promise<void> {
    deps.logger.warn({}, 'data exchange is disabled (condition no_dataexchange): port 1001 is not bound')
  }

  /** Nothing to release. */
  async stop(_signal?: AbortSignal): Promise<void> {}

  /** The same as {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
