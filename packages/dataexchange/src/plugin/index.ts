/** `pilot-dataexchange/plugin`: the contract between a host and its services. */

export {
  type DataExchangeEvents,
  type DataExchangeTopic,
  EventBus,
  type EventListener,
  type MatchingTopic,
  type PatternText,
  type PublishedEvent,
} from './events.ts'
export { ServiceRegistry } from './registry.ts'
export { Runtime, type RuntimeDriver, type RuntimeOptions } from './runtime.ts'
export type { PluginService, ServiceDeps, TrustChecker } from './service.ts'
