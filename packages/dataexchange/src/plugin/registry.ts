import { withWait } from '../async/wait.ts'
import { PluginError } from '../errors.ts'
import { FIXED_LIMITS } from '../limits.ts'
import type { PluginService, ServiceDeps } from './service.ts'

/** Starts services by ascending order and stops them in reverse `[plugin.start-stop]`. */
export class ServiceRegistry {
  readonly #services: PluginService[] = []
  #running: PluginService[] = []
  #started = false

  /**
   * Adds a service.
   *
   * @throws {PluginError} REGISTRY_STARTED after {@link start}; SERVICE_DUPLICATE if the name is registered already
   */
  register(service: PluginService): void {
    if (this.#started) {
      throw new PluginError(
        'REGISTRY_STARTED',
        `${service.name} was registered after the start; register it before start()`,
      )
    }
    if (this.#services.some(other => other.name === service.name)) {
      throw new PluginError('SERVICE_DUPLICATE', `a service named ${service.name} is registered already`)
    }
    this.#services.push(service)
  }

  /**
   * Starts all services by ascending order; services of the same order start as they were registered. Resolves when all
   * are ready.
   *
   * @throws {PluginError} REGISTRY_STARTED if they run already; SERVICE_START_FAILED with the service's error as cause.
   * The services that had started are stopped again.
   */
  async start(deps: ServiceDeps, signal?: AbortSignal): Promise<void> {
    if (this.#running.length > 0) {
      throw new PluginError('REGISTRY_STARTED', 'the services run already; call stop() first')
    }
    this.#started = true
    for (const service of [...this.#services].sort((a, b) => a.order - b.order)) {
      try {
        await service.start(deps, signal)
        this.#running.push(service)
      } catch (cause) {
        const failed = new PluginError(
          'SERVICE_START_FAILED',
          `${service.name} did not start: ${messageOf(cause)}`,
          { cause },
        )
        // An error of stop() must not hide the error of start().
        await this.stop().catch(err =>
          deps.logger.error({ err }, 'a service did not stop after a failed start'),
        )
        throw failed
      }
    }
  }

  /**
   * Stops the running services in reverse order. Each has 5 s (`FIXED_LIMITS.stopTimeout`). After a failure the others are
   * still stopped.
   *
   * @throws {PluginError} SERVICE_STOP_FAILED after the last one, with an AggregateError as cause
   */
  async stop(): Promise<void> {
    const running = [...this.#running].reverse()
    this.#running = []
    const failures: { name: string; error: unknown }[] = []
    for (const service of running) {
      try {
        const timeoutMs = FIXED_LIMITS.stopTimeout.value
        await withWait(`the stop of ${service.name}`, { timeoutMs }, signal => service.stop(signal))
      } catch (error) {
        failures.push({ name: service.name, error })
      }
    }
    if (failures.length > 0) {
      const what = failures.map(({ name, error }) => `${name}: ${messageOf(error)}`).join('; ')
      const cause = new AggregateError(failures.map(({ error }) => error))
      throw new PluginError('SERVICE_STOP_FAILED', `not stopped cleanly: ${what}`, { cause })
    }
  }

  /** The same as {@link stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
