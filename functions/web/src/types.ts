/** What calls take and streams give, beside the schemas of the OpenAPI document (`api.ts`). */

/** A part of a job's stream; which fields it has depends on `type`. `position`: where another process can continue. */
export interface Part {
  type: string;
  position: string;
  id?: string;
  messageId?: string;
  delta?: string;
  toolCallId?: string;
  toolName?: string;
  input?: unknown;
  output?: unknown;
  errorText?: string;
  reason?: string;
  messageMetadata?: Record<string, unknown>;
  data?: any;
  transient?: boolean;
}

export interface ClientOptions {
  /** The address; default: BATON_URL of the environment, and in a page where the page is. */
  url?: string;
  /** An API key; default: BATON_API_KEY. Approvals need an admin's. */
  key?: string;
  /** For operations alone; default: OPERATIONS_API_KEY. */
  operationsKey?: string;
  /** How long a request pauses in all before it fails; default: 30. */
  retrySeconds?: number;
  fetch?: typeof fetch;
}

export interface JobFilters {
  /** One, or several with commas between them. */
  status?: string;
  jobType?: string;
  sessionId?: string;
  parentJobId?: string;
  /** The job has all of them. */
  tag?: string[];
  /** Its task, answer or error has all these words. */
  q?: string;
  createdAfter?: string;
  createdBefore?: string;
  /** For admin keys. */
  tenant?: string;
  /** Of a page; pages are read as they are needed. */
  limit?: number;
}

export type Id = string | { id?: string };
export type Ends = { signal?: AbortSignal };
export type Keyed = { idempotencyKey?: string };
export type Question = "jobType" | "taskDescription";
