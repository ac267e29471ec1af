# ===- make_chat_data.py - prompts as Jinja makes them -----------------------===//
#
# Part of attnc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===----------------------------------------------------------------------===//
#
#   pip install jinja2==3.1.6
#   make_chat_data.py > golden-chat.tsv
#
# Templates of the families' forms, and small ones for each construct, rendered
# by Jinja with the settings of transformers' apply_chat_template. One line each:
# template, messages (role, content, ...), prompt or "!", all in hex; whether a
# prompt is to be continued; the fields are divided by tabs.
#
# ===----------------------------------------------------------------------===//
import datetime
import json

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2024, 2, 29, 13, 5, 9, tzinfo=datetime.timezone.utc)


class Refused(Exception):
    pass


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(value):
    return json.dumps(value, ensure_ascii=False)


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
)
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = lambda form: NOW.strftime(form)

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
    "{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}"
    "{% set system_message = false %}{% endif %}{% for message in loop_messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if loop.index0 == 0 and system_message != false %}"
    "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% else %}{% set content = message['content'] %}{% endif %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
LLAMA3 = """{{- bos_token }}
{%- if custom_tools is defined %}
    {%- set tools = custom_tools %}
{%- endif %}
{%- if not tools_in_user_message is defined %}
    {%- set tools_in_user_message = true %}
{%- endif %}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message #}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}
    {{- "Environment: ipython\\n" }}
{%- endif %}
{{- "Cutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none and not tools_in_user_message %}
    {{- "You have access to the following functions." }}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("This model only supports single tool-calls at once!") }}
        {%- endif %}
    {%- elif message.role == "tool" or message.role == "ipython" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}
            {{- message.content }}
        {%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
"""
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
)
PHI3 = (
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}"
    "{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
)
QWEN3 = """{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
{%- else %}
    {%- if messages[0].role == 'system' %}
        {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning_content = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning_content = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set reasoning_content = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last_query_index %}
            {%- if loop.last or (not loop.last and reasoning_content) %}
                {{- '<|im_start|>' + message.role + '\\n<think>\\n' + reasoning_content.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}
            {%- else %}
                {{- '<|im_start|>' + message.role + '\\n' + content }}
            {%- endif %}
        {%- else %}
            {{- '<|im_start|>' + message.role + '\\n' + content }}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}
"""
MISTRAL = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported!") }}
    {%- endif %}
{%- endfor %}
"""

# As later Llamas and Mistrals filter tools and messages.
FILTERS = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- if builtin_tools is defined %}
    {{- "Tools: " + builtin_tools | reject('equalto', 'code_interpreter') | join(", ") + "\\n\\n"}}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- for message in loop_messages | rejectattr("role", "equalto", "tool") | rejectattr("role", "equalto", "tool_results") | selectattr("tool_calls", "undefined") %}
    {%- if (message["role"] == "user") != (loop.index0 % 2 == 0) %}
        {{- raise_exception("roles must alternate user/assistant/user/assistant/...") }}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS] [" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {%- for key, val in tool.items() if key != "return" %}
                    {{- '"' + key + '": ' + val|tojson }}
                {%- endfor %}
            {%- endfor %}
            {{- "[/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if message == user_messages[-1] and system_message is defined %}
            {{- "[INST] " + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token }}
        {%- for tool_call in message.tool_calls %}
            {{- tool_call.function | tojson }}
        {%- endfor %}
    {%- endif %}
{%- endfor %}
"""

SMALL = [
    # White space.
    "a\n{% if true %}\nb\n{% endif %}\nc\n",
    "a  {%- if true -%}  b  {%- endif -%}  c",
    "  {% if true %}x{% endif %}  \n  {{ 'y' }}  \n",
    "a {%+ if true %} b {% endif +%}\nc",
    "a\n   {# note #}\nb {#- x -#}  c {# y +#}\nd",
    "x\n\n{% set a = 1 %}\n\n{{ a }}\n\n",
    "1{{- ' 2 ' -}}  3\n",
    "{% if true %}\n\n  {% if true %}\n  z\n  {% endif %}\n{% endif %}",
    "\n",
    "",
    "plain text } with } braces { and %",
    # Expressions.
    "{{ 1 + 2 * 3 - 4 // 2 % 3 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 2 - -3 }}",
    "{{ 'a' ~ 1 ~ true ~ none ~ 'b' }} {{ 'x' 'y' }}",
    "{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 'a' < 'b' }} {{ 'ab' > 'a' }} {{ 2 >= 2 }} {{ 1 != 1 }}",
    "{{ 'b' in 'abc' }} {{ 'z' not in 'abc' }} {{ 2 in [1, 2] }} {{ 'role' in messages[0] }} {{ '' in 'a' }}",
    "{{ not true }} {{ not 0 and 1 }} {{ 0 or 'x' }} {{ '' and 'x' }} {{ [] or {} or 'e' }}",
    "{{ 'yes' if messages else 'no' }} {{ 'x' if false }}{{ 1 if false else 2 if true else 3 }}",
    "{{ [1, 2, 3][-1] }} {{ [1, 2, 3][1:] | join(',') }} {{ 'häuser'[1:3] }} {{ 'abc'[::-1] }} {{ 'abcdef'[4:0:-2] }}",
    "{{ {'a': 1, 'b': 'x'}['b'] }} {{ {'a': {'c': 3}}.a.c }} {{ {'a': 1}.get('z', 9) }} {{ {'a': 1}.get('z') }}",
    "{{ [[1, 2], [3, 4]] | tojson }} {{ {'k': [true, none, 'ä\"\\n']} | tojson }} {{ messages[0] | tojson }}",
    "{{ missing }}|{{ missing is defined }}|{{ messages[99] is defined }}|{{ missing | default('d') }}|{{ '' | default('e', true) }}",
    "{{ messages | length }} {{ 'häuser' | length }} {{ [1,2] | first }} {{ [1,2] | last }} {{ 'abc' | upper }} {{ 'A bC' | lower }}",
    "{{ 'hello wORLD' | title }} {{ 'hello wORLD' | capitalize }} {{ ' x ' | trim }}| {{ 'xaxx'.strip('x') }} {{ 'a-b-c'.replace('-', '+') }}",
    "{{ 'a,b,,c'.split(',') | join('|') }} {{ '  a  b '.split() | join('|') }} {{ 'a b c d'.split(' ', 2) | join('|') }} {{ ' a b  c '.split(none, 1) | join('|') }}",
    "{{ 'abc'.startswith('ab') }} {{ 'abc'.endswith('bc') }} {{ 'abc'.endswith('abcd') }} {{ ', '.join(['a', 'b']) }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k, v in {'c': 3} | items %}{{ k }}{{ v }}{% endfor %}",
    "{{ {'a': 1, 'b': 2}.keys() | list | join(',') }} {{ {'a': 1, 'b': 2}.values() | list | join(',') }}",
    # Loops and names.
    "{% for i in range(5) if i is odd %}{{ loop.index }}:{{ i }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for i in range(2, 9, 3) %}{{ i }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.length }} {% endfor %}",
    "{% for i in [] %}x{% else %}empty{% endfor %}{% for i in [1] if i > 1 %}x{% else %}none left{% endfor %}",
    "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [1,2,3] %}{{ loop.previtem if loop.previtem is defined else '-' }}{{ loop.nextitem | default('-') }} {% endfor %}",
    "{% set x = 1 %}{% for i in [1,2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}",
    "{% set ns = namespace(n=0, s='') %}{% for i in [1,2,3] %}{% set ns.n = ns.n + i %}{% set ns.s = ns.s ~ i %}{% endfor %}{{ ns.n }} {{ ns.s }}",
    "{% if true %}{% set y = 'kept' %}{% endif %}{{ y }}",
    "{% set block %}<{{ 1 + 1 }}>{% endset %}{{ block * 1 if false else block }}{{ block | length }}",
    "{% for m in messages %}{% for c in [1, 2] %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% if messages | length == 0 %}a{% elif messages | length == 1 %}b{% elif messages[0].role == 'user' %}c{% else %}d{% endif %}",
    "{{ messages[0]['role'] is string }} {{ messages is mapping }} {{ messages[0] is mapping }} {{ 1 is number }} {{ none is none }} {{ 3 is equalto 3 }} {{ 4 is even }} {{ true is boolean }} {{ true is true }}",
    "{{ strftime_now('%Y-%m-%d %H:%M:%S %a %A %b %B %y %%') }}",
    "{{ '\\tx\\n\\\\ \\' \\\"' }} {{ \"it's\" }} {{ 'a' == \"a\" }}",
    "{{ ('a' if messages else 'b') + 'c' }} {{ (1 + 2) * 3 }} {{ [1] + [2] == [1, 2] }}",
    "{{ messages[-1].content[:4] }} {{ messages[-1]['content'] | trim | length }} {{ '5' | int if false else 5 | int }} {{ 12 | string | length }}",
    # Edges of values.
    "a\r\nb\rc\n{% if true %}\r\nd{% endif %}\r\n{{ 'e\r\nf' }}\r\n",
    "{{ [1] == [1, 2] }} {{ [1, 2] == [1, 3] }} {{ 1 == true }} {{ 'a' == none }} {{ none == none }} {{ [] == [] }}",
    "{{ 'a' < 'ab' }} {{ 'ab' < 'a' }} {{ '' < 'a' }} {{ 2 <= 2 }} {{ 3 <= 2 }} {{ 'b' >= 'a' }} {{ 'ab' <= 'ab' }}",
    "{{ 'abc'[-2:] }} {{ 'abc'[-9:] }} {{ 'abc'[:9] }} {{ 'abc'[9:] }}| {{ [1, 2, 3][::-1] | join }} {{ 'abcdef'[-1:-9:-2] }} {{ 'abc'[2:0] }}|",
    "{{ 'abc'[7] }}|{{ 'abc'[-1] }}{{ [1, 2][5] }}|{{ [1, 2][-9] }}|{{ 'abc'['x'] }}|{{ 'abc'[none:2] }}",
    "{{ 1 is integer }} {{ true is integer }} {{ true is number }} {{ 'a' is sequence }} {{ [] is sequence }} {{ 1 is sequence }} {{ 1 is string }}",
    "{{ false is false }} {{ 1 is false }} {{ 0 is true }} {{ true is false }} {{ x is undefined }} {{ x is defined }} {{ 1 is boolean }} {{ 2 is not none }}",
    "{{ {} is iterable }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ 3 is eq 3 }} {{ 3 is odd }} {{ 2 is odd }} {{ none is none }} {{ 1 is none }}",
    "{{ 'abc' | count }} {{ {'a': 1} | length }} {{ 'a' | safe }} {{ x | d('y') }} {{ x | default }}|",
    "{{ '' | default('e', false) }}|{{ 0 | default('e', true) }} {{ [] | first is defined }} {{ [7] | first }}",
    "{{ true | int }} {{ 7 | int }} {{ 7 | string }} {{ none | string }} {{ 'a-b' | replace('-', '') }}",
    "{{ '\r\\t\b\f\x1f\x02' | tojson }} {{ 'a\\\\b/c' | tojson }} {{ [] | tojson }} {{ {} | tojson }} {{ {'a': [], 'b': {'c': false}} | tojson }} {{ -5 | tojson }}",
    "{{ 'Az [{z}' | upper }} {{ 'aZ@[`{' | lower }} {{ 'z{Z' | title }} {{ 'xyx'.lstrip('x') }} {{ 'xyx'.rstrip('x') }} {{ 'a b'.title() }} {{ 'aB'.upper() }}{{ 'aB'.lower() }}{{ 'aB'.capitalize() }}",
    "{{ 'aaa'.replace('a', 'b') }} {{ ''.split(',') | length }} {{ ''.split() | length }} {{ 'a'.split(',', 0) | join('|') }} {{ 'abab'.split('ab') | length }}",
    "{% for a, b in [[1, 2], [3, 4]] %}{{ a }}{{ b }};{% endfor %}",
    "{% for i in range(3, 0, -1) %}{{ i }}{% endfor %} {% for i in range(0) %}x{% endfor %} {{ range(-3) | length }} {{ range(5, 1) | length }}",
    "{{ {'a': 1, 'a': 2} | tojson }} {{ {'a': 1}.get('b', none) }} {{ 'a' in {'a': 1} }} {{ 1 in [2, 1] }} {{ 'c' not in ['a'] }} {{ [1] + [] == [1] }}",
    "{{ 1 - 2 - 3 }} {{ 2 * 3 * 4 }} {{ 9 // 4 // 2 }} {{ +5 }} {{ - - 5 }} {{ 7 % 3 }} {{ -7 % -3 }} {{ 'ab' ~ 'c' ~ 1 }} {{ 'a' * 1 if false else '' }}",
    "{%- set ns = namespace() -%}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b is defined }}{{ ns.a is number }}{%- if ns %} set{% endif %}",
    "{%\tif\n1 and\r\n2\f%}a{%\velse %}b{% endif %}{{\t'x'\r}}{{ A_Z if false else 'Z' }}{{ 'q'}}{# } #}{{ {'a':{'b':1}}['a']['b'] }}",
    "{{ 9223372036854775807 }} {{ -9223372036854775807 }} {{ 9223372036854775807 - 1 }}",
    "{{ strftime_now('%d %B %Y %j %%') if false else strftime_now('%d %B %Y') }} {{ strftime_now('%e') if false else '' }}|",
    "{% for a, b in [[1, 2, 3]] %}{% endfor %}",
    "{% for a, b in [1] %}{% endfor %}",
    "{{ 'a' - 1 }}",
    "{{ [1] + 1 }}",
    "{{ 1 in 2 }}",
    "{{ [1] < [2] if false else {} < 1 }}",
    "{{ none + 1 }}",
    "{{ 1 % 0 }}",
    "{{ none.x.y }}",
    "{{ 'abc'[::0] }}",
    "{{ range(1, 2, 0) }}",
    "{{ messages.nothing.more }}",
    "{{ -'a' }}",
    "{{ none | length }}",
    "{{ 5 | first }}",
    "{{ 1 | join }}",
    "{{ 'a' < none }}",
    "{{ 'a'.split('') }}",
    "{{ 'x'.startswith(1) }}",
    "{{ [1, 2].keys() }}",
    # What fails, in Jinja as here.
    "{{ missing.member }}",
    "{{ raise_exception('no') }}",
    "{{ 1 + 'a' }}",
    "{{ 1 // 0 }}",
    "{{ 'a' < 1 }}",
    "{{ missing | trim if false else missing.x }}",
    "{% for x in 5 %}{% endfor %}",
    "{{ range(200000) | length }}",
    # Sequences, and what is not there.
    "{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') }}",
    "{{ messages | selectattr('role', 'ne', 'user') | list | length }} {{ messages | rejectattr('role', 'in', ['user']) | list | length }}",
    "{{ messages | selectattr('role') | list | length }} {{ messages | selectattr('x', 'defined') | list | length }} {{ messages | rejectattr('x') | list | length }}",
    "{{ [1, 2, 3] | select('odd') | join }} {{ [0, 1] | select | join }} {{ [1, 2, none] | reject('none') | join(',') }} {{ [1, 2] | reject('==', 1) | first }} {{ [1, 2] | select('!=', 1) | list | last }}",
    "{% if messages | selectattr('role', 'equalto', 'nobody') %}a generator is true{% endif %}",
    "{{ (messages | selectattr('role', 'equalto', 'user') | list)[-1].content }} {{ [1] | select('odd') is iterable }}",
    "{% for c in 'äb' %}{{ loop.index }}{{ c }}{% endfor %} {% for key in messages[0] %}{{ key }},{% endfor %} {{ 'äb' | list | join('-') }} {{ 'äb' | first }}{{ 'äb' | last }} {{ {'a': 1, 'b': 2} | join(',') }} {{ {'a': 1} | first }}",
    "{% for call in messages[0].tool_calls %}x{% else %}none{% endfor %}|{{ x | trim }}|{{ x | length }}|{{ x | upper }}|{{ x | list | length }}|{{ x | join }}|{{ x | first is defined }}|{{ x | string }}|{% for a, b in x | items %}x{% endfor %}|",
    "{{ {'a': 1, 'b': [1]} == {'b': [1], 'a': 1} }} {{ {'a': 1} == {'a': 1, 'b': 2} }} {{ {'a': 1, 'b': 2} == {'a': 1} }} {{ {} == {} }} {{ {'a': 1} == {'b': 1} }} {{ {'role': 'x'} in messages }} {{ messages[0] in messages }}",
    "{{ 'aaa' | replace('a', 'b', 2) }} {{ 'aaa'.replace('a', 'b', 0) }} {{ 'aaa'.replace('a', 'b', -1) }}",
    "{{ x | default(default_value='d') }} {{ '' | default(boolean=true, default_value='e') }} {{ x | default(boolean=true) }}|",
    "{{ range is defined and namespace is defined and raise_exception is defined and strftime_now is defined }}",
    "{% for a in [1] %}{% for b in [1] %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}{% endfor %}",
    "{{ messages[0].role is equalto messages[0]['role'] }} {{ 'a' is in ['b', 'a'] }} {{ 3 is ne 3 }} {{ 'x' is in messages[0].content[:2] }}",
    "{{ [1] | select('odd') | length }}",
    "{{ [1] | select('odd') | last }}",
    "{{ [1] | select('nothing') | list }}",
    "{{ [1] | select('equalto') | list }}",
    "{{ x | tojson }}",
    "{{ x | int }}",
]

CONVERSATIONS = [
    [("user", "Hi there")],
    [("system", "  Be brief. \n"), ("user", "What is 2 + 2?"), ("assistant", " 4 "), ("user", "Süße Grüße, 你好 🙂?\n")],
    [("user", "a"), ("assistant", "<think>\nhm\n</think>\n\nb"), ("user", "c"), ("assistant", "d")],
    [("user", "one"), ("user", "two")],
    [("tool", "result"), ("user", "")],
]


def render(template, messages, continues):
    try:
        return environment.from_string(template).render(
            messages=[{"role": role, "content": content} for role, content in messages],
            add_generation_prompt=continues,
            bos_token="<s>",
            eos_token="</s>",
            tools=None,
            documents=None,
        )
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, ZeroDivisionError,
            OverflowError, AttributeError):
        return None


def hexed(text):
    return text.encode().hex() or "-"


for template in [CHATML, LLAMA2, LLAMA3, GEMMA, PHI3, QWEN3, MISTRAL, FILTERS]:
    for messages in CONVERSATIONS:
        for continues in (True, False):
            prompt = render(template, messages, continues)
            words = " ".join(hexed(word) for message in messages for word in message)
            print(hexed(template), words, int(continues), "!" if prompt is None else hexed(prompt), sep="\t")
for template in SMALL:
    messages = CONVERSATIONS[1]
    prompt = render(template, messages, True)
    words = " ".join(hexed(word) for message in messages for word in message)
    print(hexed(template), words, 1, "!" if prompt is None else hexed(prompt), sep="\t")
