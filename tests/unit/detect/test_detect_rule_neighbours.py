"""Vendors that share a prefix, and halves that stand side by side: each value gets the rule of its own vendor and kind."""

from __future__ import annotations

import random

import pytest
from detect_cases import characters

from locum.detect.engine import default_engine

SOURCE = random.Random(11)


def made(kind: str, length: int) -> str:
    return characters(SOURCE, kind, length)


@pytest.mark.parametrize(("before", "value", "rule"), [
    ('stripe.api_key = "', f"sk_live_{made('alnum', 24)}", "stripe-secret-key"),
    ("WORKOS_API_KEY=", f"sk_live_a2V5{made('alnum', 60)}", "workos-api-key"),
    ("PAYSTACK_SECRET_KEY=", f"sk_live_{made('hex', 40)}", "paystack-secret-key"),
    ("CLERK_SECRET_KEY=", f"sk_live_{made('alnum', 42)}", "clerk-secret-key"),
    ("OPENAI_API_KEY=", f"sk-proj-{made('alnum', 74)}T3BlbkFJ{made('alnum', 73)}", "openai-api-key"),
    ("OPENAI_API_KEY=", f"sk-svcacct-{made('alnum', 74)}T3BlbkFJ{made('alnum', 73)}", "openai-service-account-key"),
    ("OPENAI_ADMIN_KEY=", f"sk-admin-{made('alnum', 74)}T3BlbkFJ{made('alnum', 73)}", "openai-admin-key"),
    ("DEEPSEEK_API_KEY=", f"sk-{made('hex', 32)}", "deepseek-api-key"),
    ("DASHSCOPE_API_KEY=", f"sk-{made('hex', 32)}", "dashscope-api-key"),
    ("OPENROUTER_API_KEY=", f"sk-or-v1-{made('hex', 64)}", "openrouter-api-key"),
    ("CLICKUP_TOKEN=", f"pk_{made('digits', 8)}_{made('upper', 32)}", "clickup-api-token"),
    ("KLAVIYO_API_KEY=", f"pk_{made('hex', 34)}", "klaviyo-api-key"),
    ("SQUARE_ACCESS_TOKEN=", f"EAAA{made('alnum', 60)}", "square-access-token"),
    ("META_ACCESS_TOKEN=", f"EAAG{made('alnum', 150)}", "whatsapp-access-token"),
    ("TWILIO_API_KEY=", f"SK{made('hex', 32)}", "twilio-api-key"),
    ("TWILIO_AUTH_TOKEN=", made("hex", 32), "twilio-auth-token"),
    ("DD_API_KEY=", made("hex", 32), "datadog-key"),
    ("DD_APP_KEY=", made("hex", 40), "datadog-app-key"),
    ("client.login('", f"MTIz{made('alnum', 22)}.{made('alnum', 6)}.{made('alnum', 38)}", "discord-bot-token-elsewhere"),
    ("MAILGUN_API_KEY=", f"{made('hex', 32)}-{made('hex', 8)}-{made('hex', 8)}", "mailgun-private-key"),
    ("MAILCHIMP_API_KEY=", f"{made('hex', 32)}-us14", "mailchimp-api-key"),
    ("SEGMENT_TOKEN=", f"sgp_{made('alnum', 64)}", "segment-public-api-token"),
])  # fmt: skip
def test_its_own_rule(before: str, value: str, rule: str) -> None:
    data = f"{before}{value}'\n".encode() if before.endswith("'") else f"{before}{value}\n".encode()
    (finding,) = default_engine().scan(data).findings
    assert (finding.rule, finding.start, finding.end) == (rule, len(before), len(before) + len(value))


@pytest.mark.parametrize(("text", "severity"), [
    (f"MAPBOX=sk.eyJ{made('alnum', 70)}.{made('alnum', 22)}", "error"),
    (f"MAPBOX=pk.eyJ{made('alnum', 70)}.{made('alnum', 22)}", "information"),
    (f"STRIPE=pk_live_{made('alnum', 24)}", "information"),
    (f"POSTHOG=phc_{made('alnum', 43)}", "information"),
    (f"POSTHOG=phx_{made('alnum', 43)}", "error"),
])  # fmt: skip
def test_public_halves_are_quiet(text: str, severity: str) -> None:
    (finding,) = default_engine().scan(text.encode()).findings
    assert finding.severity == severity


@pytest.mark.parametrize("text", [
    "mistral = load('ministral-8b-instruct-2410')", "from cohere.types import NonStreamedChatResponse",
    "the pinecone index is rebuilt every night", f"deepgram-sdk @ https://example.com/{'0' * 40}.tar.gz",
    "STRIPE_PUBLISHABLE_KEY=pk_live_...", "TWILIO_AUTH_TOKEN=your_auth_token_here", "SLACK_BOT_TOKEN=xoxb-your-token",
    f"OPENAI_API_KEY=sk-proj-{'x' * 20}T3BlbkFJ{'x' * 20}", "const notionClientOptions = secret_manager",
    "zenrows_api_key = os.environ['ZENROWS_API_KEY']", "airship = AirshipConfigurationProviderFactory22",
])  # fmt: skip
def test_no_secrets(text: str) -> None:
    assert not default_engine().scan(text.encode()).findings
