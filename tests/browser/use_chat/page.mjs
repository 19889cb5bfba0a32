// A page with AI SDK's `useChat`: it asks the user, goes on once all is answered, and begins with what the session has.
import { DefaultChatTransport, lastAssistantMessageIsCompleteWithApprovalResponses } from 'ai-VERSION';
import { useChat } from 'ai-sdk-react-VERSION';
import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';

const { key, id, agent } = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
const headers = { authorization: `Bearer ${key}` };
const transport = new DefaultChatTransport({ api: '/api/chat', headers, body: { agent } });

function Call({ part, respond }) {
  const answer = approved => () => respond({ id: part.approval.id, approved, reason: approved ? undefined : 'not now' });
  const buttons = [['Approve', true], ['Deny', false]].map(([name, is]) => h('button', { key: name, onClick: answer(is) }, name));
  const outcome = part.output === undefined ? '' : ` ${JSON.stringify(part.output)}`;
  return h('p', { className: 'call' }, `${part.type} ${part.state}${outcome}`, part.state === 'approval-requested' && buttons);
}

function Page({ session }) {
  const { messages, sendMessage, addToolApprovalResponse, status, error } = useChat({
    id,
    transport,
    messages: session.messages,
    resume: session.activeStream !== null,
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithApprovalResponses,
  });
  const shown = messages.map(message => h('li', { key: message.id, className: message.role }, ...message.parts.map((part, at) =>
    part.toolCallId ? h(Call, { key: at, part, respond: addToolApprovalResponse }) : part.type === 'text' && h('span', { key: at }, part.text))));
  const send = form => sendMessage({ text: form.get('text') });
  return h('main', null, h('ol', null, shown), h('form', { action: send }, h('input', { name: 'text', 'aria-label': 'Text' })),
    h('output', null, error ? String(error) : status));
}

const answer = await fetch(`/api/sessions/${encodeURIComponent(id)}`, { headers });
const session = answer.ok ? await answer.json() : { messages: [], activeStream: null };
createRoot(document.body).render(h(Page, { session }));
