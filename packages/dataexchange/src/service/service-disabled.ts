import type { PluginService, ServiceDeps } from '../plugin/service.ts'
import type { ServiceConfig } from './service.ts'

/**
 * The stub that replaces the service under `node --conditions=no_dataexchange` `[plugin.stub-chosen]`. It has the same
 * shape, binds no port and writes nothing `[plugin.stub-idle]`.
 */
export class Service implements PluginService {
  readonly name: string = 'dataexchange-disabled'
  readonly order: number = 110

  /** Ignores the configuration. */
  // biome-ignore lint/complexity/noUselessConstructor: has the same shape as the service
  constructor(_config: ServiceConfig = {}) {}

  /** Always undefined: no folder is in use. */
  get folders(): { inbox: string; received: string } | undefined {
    return undefined
  }

  /** Always empty: no frame arrives. */
  get refusals(): Record<string, number> {
    return {}
  }

  /** Logs that data exchange is off. */
  async start(deps: ServiceDeps, _signal?: AbortSignal): Promise<void> {
    deps.logger.warn({}, 'data exchange is disabled (condition no_dataexchange): port 1001 is not bound')
  }

  /** Does nothing. */
  async stop(_signal?: AbortSignal): Promise<void> {}

  /** The same as {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
