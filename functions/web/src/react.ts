/** A React hook over `agentTask`: submit a task of an agent, see it at work, and get its answer. */
import { useEffect, useMemo, useRef, useState } from "react";

import { agentTask, type BatonClient, type Task, type TaskState } from "../../baton/web/static/baton.js";

export type { BatonClient, Task, TaskState };

export interface AgentTaskOptions {
  /** Who asks; keep it between renderings. */
  client: BatonClient;
  onComplete?: (task: Task) => void;
  onError?: (error: Error) => void;
}

export interface AgentTask extends TaskState {
  /** Submit a job (`jobType`, `taskDescription`, …) and follow it; null: it was refused or has failed, see `error`. */
  submitTask: (body: Record<string, unknown>) => Promise<Task | null>;
  /** Follow a job again, after a reload for example. */
  resumeTask: (jobId: string) => Promise<Task | null>;
}

/** The state of one task at a time. A component that goes away stops following, and the job goes on. */
export function useAgentTask({ client, onComplete, onError }: AgentTaskOptions): AgentTask {
  const latest = useRef({ onComplete, onError });
  const following = useRef(new AbortController());
  const [state, setState] = useState<TaskState>({
    isSubmitting: false,
    isProcessing: false,
    currentTask: null,
    error: null,
  });
  useEffect(() => {
    latest.current = { onComplete, onError };
  });
  useEffect(() => {
    const controller = (following.current = new AbortController());
    return () => controller.abort();
  }, [client]);
  const task = useMemo(
    () =>
      agentTask(client, {
        get signal() {
          return following.current.signal;
        },
        onChange: (changed) => setState({ ...changed }),
        onComplete: (done) => latest.current.onComplete?.(done),
        onError: (error) => latest.current.onError?.(error),
      }),
    [client],
  );
  return { ...state, submitTask: task.submitTask, resumeTask: task.resumeTask };
}
