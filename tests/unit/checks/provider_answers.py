"""Answers that providers document or send, each with its source and what it means. Data.

`PROVIDERS` is a table: source, status, headers, body, code, and seconds to wait.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

NOW: Final = datetime(2026, 2, 17, 10, 0, tzinfo=UTC)
IN_A_MINUTE: Final = str(int(NOW.timestamp()) + 60)


class Case(NamedTuple):
    """One answer. A body that is no text is sent as JSON."""

    source: str
    status: int
    headers: dict[str, str]
    body: Any
    code: str
    wait: int | None = None

    @property
    def text(self) -> str:
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


def google(reason: str, status: int = 403) -> dict[str, Any]:
    return {"error": {"code": status, "errors": [{"domain": "usageLimits", "reason": reason}]}}


def google_cloud(status: str, reason: str, number: int = 403) -> dict[str, Any]:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}
    return {"error": {"code": number, "message": "x", "status": status, "details": [detail]}}


def meta(code: int, subcode: int | None = None) -> dict[str, Any]:
    error = {"message": "x", "type": "OAuthException", "code": code, "fbtrace_id": "E"}
    return {"error": error | ({"error_subcode": subcode} if subcode else {})}


def entra(number: int, error: str = "invalid_client") -> dict[str, Any]:
    return {"error": error, "error_description": f"AADSTS{number}: what. Trace ID: 1"}


def soap(code: str, text: str) -> str:
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        f"<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    )


def page(title: str, body: str = "") -> str:
    return f"<!DOCTYPE html><html><head><title>{title}</title></head><body>{body}</body></html>"


def apollo(code: str) -> dict[str, Any]:
    return {"errors": [{"message": "x", "extensions": {"code": code}}]}


HTML: Final = {"content-type": "text/html; charset=UTF-8"}
SALESFORCE: Final = (
    "https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm"
)
GOOGLE: Final = "https://developers.google.com/workspace/drive/api/guides/handle-errors"
GOOGLE_CLOUD: Final = (
    "https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto"
)
GITHUB: Final = "https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api"
GITHUB_TROUBLE: Final = (
    "https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api"
)
GRAPH: Final = "https://learn.microsoft.com/en-us/graph/errors"
ENTRA: Final = "https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes"
AWS: Final = "https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html"
S3: Final = "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"
META: Final = "https://developers.facebook.com/docs/graph-api/guides/error-handling"
SHOPIFY: Final = "https://shopify.dev/docs/api/usage/response-codes"
OPENAI: Final = "https://platform.openai.com/docs/guides/error-codes"
ANTHROPIC: Final = "https://docs.anthropic.com/en/api/errors"
APOLLO: Final = "https://www.apollographql.com/docs/apollo-server/data/errors"
CLOUDFLARE: Final = (
    "https://developers.cloudflare.com/cloudflare-challenges/challenge-types/challenge-pages/"
    "detect-response/"
)
CLOUDFLARE_1XXX: Final = (
    "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/"
    "cloudflare-1xxx-errors/"
)
MARKETO: Final = (
    "https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes"
)
ZOHO: Final = "https://www.zoho.com/crm/developer/docs/api/v6/status-codes.html"
XERO: Final = "https://developer.xero.com/documentation/guides/oauth2/limits/"
GOCARDLESS: Final = "https://developer.gocardless.com/bank-account-data/statuses"
ELEVENLABS: Final = (
    "https://help.elevenlabs.io/hc/en-us/articles/19572237925521-API-Error-Code-400-or-401"
)
LINEAR: Final = "https://linear.app/developers/graphql#errors"
FRESHDESK: Final = "https://developers.freshdesk.com/api/#error"
HUBSPOT: Final = "https://developers.hubspot.com/docs/api-reference/error-handling"
SLACK: Final = "https://docs.slack.dev/reference/methods/auth.test"
SAP: Final = "https://help.sap.com/docs/SAP_NETWEAVER_750"
TELEGRAM: Final = "https://core.telegram.org/bots/api#making-requests"
ZENDESK: Final = "https://developer.zendesk.com/api-reference/introduction/requests/"
ATLASSIAN: Final = "https://developer.atlassian.com/cloud/jira/platform/basic-auth-for-rest-apis/"
SERVICENOW: Final = (
    "https://developer.servicenow.com/dev.do#!/guides/yokohama/pdi-guide/hibernation"
)
IIS: Final = (
    "https://learn.microsoft.com/troubleshoot/developer/webapps/iis/www-administration-management/"
    "http-status-code"
)
RFC_7235: Final = "https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1"
DISCORD: Final = "https://discord.com/developers/docs/topics/rate-limits"
PLAID: Final = "https://plaid.com/docs/errors/"
IN_FRONT: Final = "the rows of checks/intermediaries.py"
WAFW00F: Final = "https://github.com/EnableSecurity/wafw00f/tree/master/wafw00f/plugins"

PROVIDERS: Final = (
    # A used-up allowance is no missing permission.
    Case(SALESFORCE, 403, {}, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}], "rate_limited"),
    Case(SALESFORCE, 403, {"sforce-limit-info": "api-usage=15000/15000"}, "", "rate_limited"),
    Case(SALESFORCE, 403, {"sforce-limit-info": "api-usage=18/15000"}, "", "permission_denied"),
    Case(SALESFORCE, 403, {}, [{"errorCode": "API_DISABLED_FOR_ORG"}], "permission_denied"),
    Case(SALESFORCE, 401, {}, [{"errorCode": "INVALID_SESSION_ID"}], "auth_invalid"),
    Case(SALESFORCE, 500, {}, soap("sf:INVALID_SESSION_ID", "Invalid Session"), "auth_invalid"),
    Case(SALESFORCE, 500, {}, soap("soapenv:Server", "out of memory"), "provider_error"),
    Case(GOOGLE, 403, {}, google("rateLimitExceeded"), "rate_limited"),
    Case(GOOGLE, 403, {}, google("userRateLimitExceeded"), "rate_limited"),
    Case(GOOGLE, 403, {}, google("quotaExceeded"), "rate_limited"),
    Case(GOOGLE, 403, {}, google("dailyLimitExceeded"), "rate_limited"),
    Case(GOOGLE, 403, {}, google("accessNotConfigured"), "permission_denied"),
    Case(GOOGLE, 403, {}, google("insufficientPermissions"), "permission_denied"),
    Case(GOOGLE, 401, {}, google("authError", 401), "auth_invalid"),
    Case(GOOGLE, 404, {}, google("notFound", 404), "not_found"),
    Case(
        GOOGLE_CLOUD,
        403,
        {},
        google_cloud("PERMISSION_DENIED", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
        "scope_missing",
    ),
    Case(
        GOOGLE_CLOUD,
        403,
        {},
        google_cloud("PERMISSION_DENIED", "BILLING_DISABLED"),
        "payment_required",
    ),
    Case(
        GOOGLE_CLOUD,
        403,
        {},
        google_cloud("PERMISSION_DENIED", "SERVICE_DISABLED"),
        "permission_denied",
    ),
    Case(
        GOOGLE_CLOUD,
        403,
        {},
        google_cloud("PERMISSION_DENIED", "API_KEY_IP_ADDRESS_BLOCKED"),
        "address_not_allowed",
    ),
    Case(
        GOOGLE_CLOUD,
        403,
        {},
        google_cloud("PERMISSION_DENIED", "CONSUMER_SUSPENDED"),
        "account_locked",
    ),
    Case(
        GOOGLE_CLOUD,
        400,
        {},
        google_cloud("INVALID_ARGUMENT", "API_KEY_INVALID", 400),
        "auth_invalid",
    ),
    Case(
        "https://docs.cloud.google.com/apis/design/errors",
        429,
        {},
        {
            "error": {
                "code": 429,
                "status": "RESOURCE_EXHAUSTED",
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "30.5s"}
                ],
            }
        },
        "rate_limited",
        31,
    ),
    Case(
        "https://developers.google.com/maps/documentation/geocoding/requests-geocoding",
        200,
        {},
        {"status": "REQUEST_DENIED", "results": []},
        "auth_invalid",
    ),
    Case(
        GITHUB,
        403,
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": IN_A_MINUTE},
        {"message": "API rate limit exceeded for user ID 1."},
        "rate_limited",
        60,
    ),
    Case(
        GITHUB,
        403,
        {"retry-after": "60", "x-ratelimit-remaining": "4210"},
        {"message": "You are calling too often."},
        "rate_limited",
        60,
    ),
    Case(
        GITHUB,
        403,
        {},
        {
            "message": "Wait.",
            "documentation_url": "https://docs.github.com/rest/overview/resources-in-the-rest-api"
            "#secondary-rate-limits",
        },
        "rate_limited",
    ),
    Case(GITHUB_TROUBLE, 401, {}, {"message": "Bad credentials"}, "auth_invalid"),
    Case(
        GITHUB_TROUBLE,
        403,
        {"x-ratelimit-remaining": "4999"},
        {"message": "Resource not accessible by integration"},
        "permission_denied",
    ),
    Case(
        GITHUB_TROUBLE,
        404,
        {"x-oauth-scopes": "gist", "x-accepted-oauth-scopes": "repo, public_repo"},
        {"message": "Not Found"},
        "scope_missing",
    ),
    Case(
        GITHUB_TROUBLE,
        404,
        {"x-oauth-scopes": "gist, repo", "x-accepted-oauth-scopes": "repo"},
        {"message": "Not Found"},
        "not_found",
    ),
    Case(
        "https://docs.github.com/en/organizations/keeping-your-organization-secure/"
        "managing-security-settings-for-your-organization/managing-allowed-ip-addresses-for-your-"
        "organization",
        403,
        {},
        {
            "message": "Although you appear to have the correct authorization credentials, the "
            "`acme` organization has an IP allow list enabled, and your IP address is not "
            "permitted to access this resource."
        },
        "address_not_allowed",
    ),
    Case(
        "https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api",
        200,
        {},
        {"errors": [{"type": "RATE_LIMITED", "message": "x"}]},
        "rate_limited",
    ),
    Case(
        "https://docs.gitlab.com/security/rate_limits/",
        429,
        {"retry-after": "30", "content-type": "text/plain"},
        "Retry later",
        "rate_limited",
        30,
    ),
    Case(
        "https://docs.gitlab.com/api/rest/troubleshooting/",
        403,
        {},
        {"error": "insufficient_scope", "scope": "api"},
        "scope_missing",
    ),
    # Microsoft
    Case(
        GRAPH,
        401,
        {},
        {"error": {"code": "InvalidAuthenticationToken", "message": "Lifetime validation failed"}},
        "auth_invalid",
    ),
    Case(
        GRAPH,
        401,
        {},
        {
            "error": {
                "code": "InvalidAuthenticationToken",
                "message": "Lifetime validation failed, the token is expired.",
            }
        },
        "auth_expired",
    ),
    Case(GRAPH, 403, {}, {"error": {"code": "Authorization_RequestDenied"}}, "permission_denied"),
    Case(
        "https://learn.microsoft.com/en-us/graph/throttling",
        429,
        {"retry-after": "10"},
        {"error": {"code": "TooManyRequests", "innerError": {"code": "429"}}},
        "rate_limited",
        10,
    ),
    Case(
        "https://learn.microsoft.com/en-us/graph/throttling",
        503,
        {"retry-after": "7"},
        {"error": {"code": "TooManyRequests"}},
        "rate_limited",
        7,
    ),
    Case(GRAPH, 404, {}, {"error": {"code": "Request_ResourceNotFound"}}, "not_found"),
    Case(
        "https://learn.microsoft.com/en-us/odata/concepts/errors",
        401,
        {},
        {"odata.error": {"code": "ExpiredAuthenticationToken", "message": {"value": "x"}}},
        "auth_expired",
    ),
    Case(ENTRA, 400, {}, entra(700016, "unauthorized_client"), "auth_invalid"),
    Case(ENTRA, 401, {}, entra(7000215), "auth_invalid"),
    Case(ENTRA, 401, {}, entra(7000222), "auth_expired"),
    Case(ENTRA, 400, {}, entra(50034, "invalid_grant"), "auth_invalid"),
    Case(ENTRA, 400, {}, entra(65001, "invalid_grant"), "permission_denied"),
    Case(ENTRA, 400, {}, entra(50173, "invalid_grant"), "auth_revoked"),
    Case(ENTRA, 400, {}, entra(50057, "invalid_grant"), "account_locked"),
    Case(ENTRA, 400, {}, entra(90002, "invalid_request"), "not_found"),
    Case(
        "https://learn.microsoft.com/en-us/azure/azure-resource-manager/management/"
        "request-limits-and-throttling",
        429,
        {"x-ms-ratelimit-remaining-subscription-reads": "0", "retry-after": "17"},
        {"error": {"code": "SubscriptionRequestsThrottled"}},
        "rate_limited",
        17,
    ),
    Case(
        "https://learn.microsoft.com/en-us/azure/cosmos-db/troubleshoot-request-rate-too-large",
        429,
        {"x-ms-retry-after-ms": "1500"},
        "",
        "rate_limited",
        2,
    ),
    Case(
        "https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes",
        403,
        {"x-ms-error-code": "AuthenticationFailed"},
        "\ufeff<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code></Error>",
        "auth_invalid",
    ),
    Case(
        "https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes",
        403,
        {},
        "<Error><Code>AuthorizationSourceIPMismatch</Code></Error>",
        "address_not_allowed",
    ),
    Case(
        "https://learn.microsoft.com/en-us/azure/api-management/quota-policy",
        403,
        {},
        {"statusCode": 403, "message": "Out of call volume quota. Replenished in 01:00:00."},
        "rate_limited",
    ),
    Case(
        "https://learn.microsoft.com/en-us/azure/api-management/rate-limit-policy",
        429,
        {},
        {"statusCode": 429, "message": "Rate limit is exceeded. Try again in 27 seconds."},
        "rate_limited",
        27,
    ),
    Case(
        "https://learn.microsoft.com/en-us/azure/api-management/api-management-subscriptions",
        401,
        {},
        {"statusCode": 401, "message": "Access denied due to invalid subscription key."},
        "auth_invalid",
    ),
    # AWS
    Case(AWS, 400, {}, {"__type": "com.amazon.coral#ThrottlingException"}, "rate_limited"),
    Case(AWS, 400, {"x-amzn-errortype": "ThrottlingException:http://x/"}, "{}", "rate_limited"),
    Case(AWS, 400, {}, {"__type": "ExpiredTokenException", "message": "x"}, "auth_expired"),
    Case(AWS, 403, {}, {"__type": "UnrecognizedClientException"}, "auth_invalid"),
    Case(
        AWS,
        403,
        {},
        "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code>"
        "<Message>The security token included in the request is invalid.</Message></Error>"
        "</ErrorResponse>",
        "auth_invalid",
    ),
    Case(AWS, 503, {}, {"__type": "RequestLimitExceeded"}, "rate_limited"),
    Case(AWS, 403, {}, {"__type": "OptInRequired"}, "account_locked"),
    Case(S3, 503, {}, "<Error><Code>SlowDown</Code></Error>", "rate_limited"),
    Case(S3, 403, {}, "<Error><Code>SignatureDoesNotMatch</Code></Error>", "auth_invalid"),
    Case(S3, 400, {}, "<Error><Code>ExpiredToken</Code></Error>", "auth_expired"),
    Case(S3, 403, {}, "<Error><Code>AccessDenied</Code></Error>", "permission_denied"),
    Case(S3, 404, {}, "<Error><Code>NoSuchBucket</Code></Error>", "not_found"),
    Case(
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/"
        "supported-gateway-response-types.html",
        429,
        {"x-amzn-errortype": "LimitExceededException"},
        {"message": "Limit Exceeded"},
        "rate_limited",
    ),
    Case(
        "https://repost.aws/knowledge-center/api-gateway-authentication-token-errors",
        403,
        {"x-amzn-errortype": "MissingAuthenticationTokenException", "x-amz-apigw-id": "a"},
        {"message": "Missing Authentication Token"},
        "not_found",
    ),
    # Meta: small numbers that mean something only there.
    Case(META, 400, {}, meta(190), "auth_invalid"),
    Case(META, 400, {}, meta(190, 463), "auth_expired"),
    Case(META, 400, {}, meta(190, 467), "auth_invalid"),
    Case(META, 400, {}, meta(190, 460), "auth_revoked"),
    Case(META, 400, {}, meta(102), "auth_invalid"),
    Case(META, 403, {}, meta(10), "permission_denied"),
    Case(META, 403, {}, meta(200), "permission_denied"),
    Case(META, 400, {}, meta(4), "rate_limited"),
    Case(META, 403, {}, meta(17), "rate_limited"),
    Case(META, 403, {}, meta(32), "rate_limited"),
    Case(META, 400, {}, meta(613), "rate_limited"),
    Case(META, 400, {}, meta(2), "provider_error"),
    Case("a number without a mark of Meta's", 400, {}, {"error": {"code": 4}}, "request_rejected"),
    # Esri
    Case(
        "https://developers.arcgis.com/rest/enterprise-administration/server/operationresponse/",
        200,
        {},
        {"error": {"code": 498, "message": "Invalid token.", "details": []}},
        "auth_invalid",
    ),
    Case(
        "https://developers.arcgis.com/rest/enterprise-administration/server/operationresponse/",
        200,
        {},
        {"error": {"code": 499, "message": "Token Required", "details": []}},
        "auth_invalid",
    ),
    Case(
        "https://http.dev/498",
        498,
        {},
        {"error": {"code": 498, "message": "Invalid token.", "details": ["Token has expired."]}},
        "auth_expired",
    ),
    Case("https://http.dev/499", 499, {}, "", "auth_invalid"),
    # Shopify
    Case(SHOPIFY, 402, {}, {"errors": "This shop is unavailable"}, "payment_required"),
    Case(SHOPIFY, 423, {}, {"errors": "Locked"}, "account_locked"),
    Case(SHOPIFY, 430, {}, "", "blocked_by_intermediary"),
    Case(
        SHOPIFY,
        401,
        {},
        {"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"},
        "auth_invalid",
    ),
    Case(
        SHOPIFY,
        429,
        {"x-shopify-shop-api-call-limit": "40/40", "retry-after": "2.0"},
        "",
        "rate_limited",
        2,
    ),
    Case(
        "https://shopify.dev/docs/api/admin-graphql#status_and_error_codes",
        200,
        {},
        {"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]},
        "rate_limited",
    ),
    # Slack, with a 200
    *(
        Case(
            "https://docs.slack.dev/reference/methods/auth.test",
            200,
            {},
            {"ok": False, "error": word},
            code,
        )
        for word, code in (
            ("invalid_auth", "auth_invalid"),
            ("not_authed", "auth_invalid"),
            ("token_expired", "auth_expired"),
            ("token_revoked", "auth_revoked"),
            ("account_inactive", "auth_revoked"),
            ("missing_scope", "scope_missing"),
            ("ratelimited", "rate_limited"),
            ("no_permission", "permission_denied"),
            ("accesslimited", "address_not_allowed"),
            ("fatal_error", "provider_error"),
        )
    ),
    # HubSpot
    Case(
        "https://developers.hubspot.com/docs/api-reference/error-handling",
        401,
        {},
        {"status": "error", "category": "EXPIRED_AUTHENTICATION"},
        "auth_expired",
    ),
    Case(
        "https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines",
        429,
        {},
        {"status": "error", "errorType": "RATE_LIMIT", "policyName": "DAILY"},
        "rate_limited",
    ),
    # Stripe
    Case(
        "https://docs.stripe.com/error-codes",
        401,
        {},
        {"error": {"code": "api_key_expired", "type": "invalid_request_error"}},
        "auth_expired",
    ),
    Case(
        "https://docs.stripe.com/error-codes",
        429,
        {},
        {"error": {"code": "lock_timeout", "type": "invalid_request_error"}},
        "rate_limited",
    ),
    # OpenAI, Anthropic
    Case(
        OPENAI,
        429,
        {},
        {
            "error": {
                "message": "You exceeded your current quota, please check your plan and billing "
                "details.",
                "type": "insufficient_quota",
                "code": "insufficient_quota",
            }
        },
        "payment_required",
    ),
    Case(
        OPENAI,
        429,
        {},
        {"error": {"type": "insufficient_quota", "code": "credit_balance_exhausted"}},
        "payment_required",
    ),
    Case(
        OPENAI,
        429,
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-tokens": "9h1m0s",
        },
        {"error": {"type": "requests", "code": "rate_limit_exceeded"}},
        "rate_limited",
        360,
    ),
    Case(OPENAI, 401, {}, {"error": {"code": "invalid_api_key"}}, "auth_invalid"),
    Case(
        OPENAI,
        401,
        {},
        {"error": {"message": "Your IP 1.2.3.4 is not authorized", "code": "ip_not_authorized"}},
        "address_not_allowed",
    ),
    Case(
        ANTHROPIC,
        400,
        {},
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low to access the Anthropic API.",
            },
        },
        "payment_required",
    ),
    Case(
        ANTHROPIC,
        401,
        {},
        {
            "type": "error",
            "error": {"type": "authentication_error", "message": "invalid x-api-key"},
        },
        "auth_invalid",
    ),
    Case(
        ANTHROPIC,
        403,
        {},
        {"type": "error", "error": {"type": "permission_error"}},
        "permission_denied",
    ),
    Case(
        ANTHROPIC,
        529,
        {},
        {"type": "error", "error": {"type": "overloaded_error"}},
        "provider_error",
    ),
    # Twilio: small numbers again, with a link of theirs
    *(
        Case(
            "https://www.twilio.com/docs/api/errors",
            status,
            {},
            {
                "code": number,
                "message": "x",
                "more_info": f"https://www.twilio.com/docs/errors/{number}",
                "status": status,
            },
            code,
        )
        for number, status, code in (
            (20003, 401, "auth_invalid"),
            (20003, 403, "auth_invalid"),
            (20005, 401, "account_locked"),
            (20404, 404, "not_found"),
            (20429, 429, "rate_limited"),
        )
    ),
    Case(
        "https://www.twilio.com/docs/api/errors/20003",
        401,
        {},
        "<TwilioResponse><RestException><Code>20003</Code><MoreInfo>https://www.twilio.com/docs/"
        "errors/20003</MoreInfo></RestException></TwilioResponse>",
        "auth_invalid",
    ),
    # Zendesk, Atlassian
    Case(
        "https://developer.zendesk.com/api-reference/introduction/requests/",
        404,
        {},
        {"error": "RecordNotFound", "description": "Not found"},
        "not_found",
    ),
    Case(
        "https://developer.zendesk.com/api-reference/introduction/security-and-auth/",
        401,
        {},
        {"error": "Couldn't authenticate you"},
        "auth_invalid",
    ),
    Case(
        "https://developer.zendesk.com/api-reference/introduction/rate-limits/",
        429,
        {"x-rate-limit-remaining": "0", "ratelimit-remaining": "0", "ratelimit-reset": "41"},
        {"error": "APIRateLimitExceeded"},
        "rate_limited",
        41,
    ),
    Case(
        "https://developer.atlassian.com/cloud/jira/platform/rate-limiting/",
        429,
        {
            "ratelimit-reason": "jira-quota-tenant-based",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": "2026-02-17T10:05Z",
        },
        "",
        "rate_limited",
        300,
    ),
    Case(
        "https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/",
        401,
        {},
        {"code": 401, "message": "Unauthorized; scope does not match"},
        "scope_missing",
    ),
    Case(
        "https://docs.atlassian.com/atlassian-seraph/latest/com/atlassian/seraph/auth/"
        "LoginReason.html",
        200,
        {"x-seraph-loginreason": "AUTHENTICATED_FAILED"},
        [],
        "auth_invalid",
    ),
    Case(
        "https://developer.atlassian.com/server/jira/platform/basic-authentication/",
        403,
        {"x-authentication-denied-reason": "CAPTCHA_CHALLENGE; login-url=https://x/login.jsp"},
        "",
        "account_locked",
    ),
    # More providers
    Case(
        "https://airtable.com/developers/web/api/errors",
        429,
        {},
        {"errors": [{"error": "PUBLIC_API_BILLING_LIMIT_EXCEEDED"}]},
        "payment_required",
    ),
    Case(
        "https://www.dropbox.com/developers/documentation/http/documentation#error-handling",
        429,
        {},
        {
            "error_summary": "too_many_requests/..",
            "error": {"reason": {".tag": "too_many_requests"}, "retry_after": 300},
        },
        "rate_limited",
        300,
    ),
    Case(
        "https://www.dropbox.com/developers/documentation/http/documentation#error-handling",
        401,
        {},
        {"error": {".tag": "expired_access_token"}},
        "auth_expired",
    ),
    Case(
        "https://docs.discord.com/developers/topics/rate-limits",
        429,
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "64.57"},
        {"message": "You are being rate limited.", "retry_after": 64.57, "global": False},
        "rate_limited",
        65,
    ),
    Case(
        "https://core.telegram.org/bots/api#making-requests",
        429,
        {},
        {"ok": False, "error_code": 429, "parameters": {"retry_after": 35}},
        "rate_limited",
        35,
    ),
    Case(
        "https://core.telegram.org/bots/api#making-requests",
        200,
        {},
        {"ok": False, "error_code": 401, "description": "Unauthorized"},
        "auth_invalid",
    ),
    Case(
        "https://developers.intercom.com/docs/references/rest-api/errors/error-codes",
        403,
        {},
        {
            "type": "error.list",
            "errors": [{"code": "api_plan_restricted", "message": "Active subscription needed."}],
        },
        "payment_required",
    ),
    Case(
        "https://mailchimp.com/developer/marketing/docs/errors/",
        401,
        {"content-type": "application/problem+json"},
        {
            "type": "https://mailchimp.com/developer/marketing/docs/errors/",
            "title": "API Key Invalid",
            "status": 401,
        },
        "auth_invalid",
    ),
    Case(
        "https://www.zoho.com/crm/developer/docs/api/v6/status-codes.html",
        200,
        {},
        {"code": "INVALID_TOKEN", "details": {}, "status": "error"},
        "auth_invalid",
    ),
    Case(
        "https://www.zoho.com/crm/developer/docs/api/v6/status-codes.html",
        401,
        {},
        {"code": "OAUTH_SCOPE_MISMATCH", "status": "error"},
        "scope_missing",
    ),
    Case(
        "https://docs.sendgrid.com/api-reference/how-to-use-the-sendgrid-v3-api/responses",
        401,
        {},
        {"errors": [{"message": "Maximum credits exceeded", "field": None}]},
        "payment_required",
    ),
    Case(
        "https://docs.sendgrid.com/api-reference/how-to-use-the-sendgrid-v3-api/responses",
        401,
        {},
        {
            "errors": [
                {"message": "The provided authorization grant is invalid, expired, or revoked"}
            ]
        },
        "auth_invalid",
    ),
    Case(
        "https://www.mongodb.com/docs/atlas/reference/api-errors/",
        403,
        {},
        {"error": 403, "errorCode": "IP_ADDRESS_NOT_ON_ACCESS_LIST", "reason": "Forbidden"},
        "address_not_allowed",
    ),
    Case(
        "https://docs.databricks.com/security/network/front-end/ip-access-list-workspace.html",
        403,
        {"content-type": "text/plain"},
        "Source IP address: 203.0.113.9 is blocked by Databricks IP ACL for workspace: 1",
        "address_not_allowed",
    ),
    Case(
        "https://developer.xero.com/documentation/guides/oauth2/troubleshooting/",
        401,
        {},
        {"Type": None, "Title": "Unauthorized", "Detail": "TokenExpired: token expired at 1"},
        "auth_expired",
    ),
    Case(
        "https://developer.xero.com/documentation/guides/oauth2/limits/",
        429,
        {"x-daylimit-remaining": "0", "x-minlimit-remaining": "57", "retry-after": "900"},
        "",
        "rate_limited",
        900,
    ),
    Case(
        "https://developer.intuit.com/app/developer/qbo/docs/develop/troubleshooting/error-codes",
        401,
        {},
        '<IntuitResponse><Fault type="AUTHENTICATION"><Error code="3200">'
        "<Message>message=AuthenticationFailed</Message></Error></Fault></IntuitResponse>",
        "auth_invalid",
    ),
    Case(
        "https://developer.intuit.com/hub/blog/2017/06/08/"
        "top-quickbooks-online-api-errors-and-how-to-handle-them",
        400,
        {},
        {"Fault": {"Error": [{"Message": "Invalid Company Status", "code": "6190"}]}},
        "payment_required",
    ),
    Case(
        "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156570709583.html",
        401,
        {},
        {"status": 401, "o:errorDetails": [{"detail": "x", "o:errorCode": "INVALID_LOGIN"}]},
        "auth_invalid",
    ),
    Case(
        "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_N3539420.html",
        500,
        {},
        soap("platformFaults:exceededConcurrentRequestLimitFault", "x"),
        "rate_limited",
    ),
    Case(
        "https://docs.x.com/x-api/fundamentals/response-codes-and-errors",
        429,
        {"content-type": "application/problem+json"},
        {"title": "UsageCapExceeded", "type": "https://api.twitter.com/2/problems/usage-capped"},
        "payment_required",
    ),
    Case(
        "https://developer.okta.com/docs/reference/error-codes/",
        429,
        {"x-rate-limit-remaining": "0", "x-rate-limit-reset": IN_A_MINUTE},
        {"errorCode": "E0000047"},
        "rate_limited",
        60,
    ),
    Case(
        "https://developer.monday.com/api-reference/docs/error-handling",
        200,
        {},
        {
            "errors": [
                {
                    "message": "Complexity budget exhausted",
                    "extensions": {"code": "COMPLEXITY_BUDGET_EXHAUSTED", "retry_in_seconds": 6},
                }
            ]
        },
        "rate_limited",
        6,
    ),
    # Gateways
    Case(
        "https://developer.konghq.com/plugins/key-auth/",
        401,
        {"www-authenticate": 'Key realm="kong"'},
        {"message": "No API key found in request"},
        "auth_invalid",
    ),
    Case(
        "https://developer.konghq.com/plugins/rate-limiting/",
        429,
        {"ratelimit-remaining": "0", "ratelimit-reset": "12"},
        {"message": "API rate limit exceeded"},
        "rate_limited",
        12,
    ),
    Case(
        "https://tyk.io/docs/api-management/troubleshooting-debugging/",
        403,
        {},
        {"error": "Access to this API has been disallowed"},
        "permission_denied",
    ),
    Case(
        "https://docs.apigee.com/api-platform/reference/policies/quota-policy",
        429,
        {},
        {
            "fault": {
                "faultstring": "Rate limit quota violation. Quota limit  exceeded.",
                "detail": {"errorcode": "policies.ratelimit.QuotaViolation"},
            }
        },
        "rate_limited",
    ),
    Case(
        "https://docs.apigee.com/api-platform/reference/policies/oauth-http-status-code-reference",
        401,
        {},
        {
            "fault": {
                "faultstring": "Access Token expired",
                "detail": {"errorcode": "keymanagement.service.access_token_expired"},
            }
        },
        "auth_expired",
    ),
    Case(
        "https://apim.docs.wso2.com/en/latest/troubleshooting/error-handling/",
        401,
        {},
        {"fault": {"code": 900901, "message": "Invalid Credentials"}},
        "auth_invalid",
    ),
    Case(
        "https://developer.mashery.com/docs/read/mashery_api/20_reporting/error_codes",
        403,
        {"x-mashery-error-code": "ERR_403_DEVELOPER_OVER_QPS"},
        "<h1>Developer Over Qps</h1>",
        "rate_limited",
    ),
    Case(
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors",
        400,
        HTML | {"server": "nginx"},
        page("400 No required SSL certificate was sent"),
        "client_certificate_required",
    ),
    Case(
        "https://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors",
        400,
        HTML | {"server": "nginx"},
        page("400 The SSL certificate error"),
        "client_certificate_refused",
    ),
    # Frameworks
    Case(
        "https://www.django-rest-framework.org/api-guide/throttling/",
        429,
        {},
        {"detail": "Request was throttled. Expected available in 86 seconds."},
        "rate_limited",
        86,
    ),
    Case(
        "https://www.django-rest-framework.org/api-guide/authentication/",
        403,
        {},
        {"detail": "Authentication credentials were not provided."},
        "auth_invalid",
    ),
    Case(
        "https://laravel.com/docs/authentication",
        401,
        {},
        {"message": "Unauthenticated."},
        "auth_invalid",
    ),
    Case(
        "https://docs.spring.io/spring-boot/reference/web/servlet.html",
        403,
        {},
        {"timestamp": "x", "status": 403, "error": "Forbidden", "path": "/v1"},
        "permission_denied",
    ),
    Case(
        "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/",
        403,
        {},
        {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403},
        "permission_denied",
    ),
    Case(
        "https://docs.postgrest.org/en/stable/references/errors.html",
        401,
        {},
        {"code": "PGRST301", "message": "JWT expired"},
        "auth_expired",
    ),
    Case(
        "https://developer.wordpress.org/rest-api/using-the-rest-api/authentication/",
        401,
        {},
        {"code": "rest_not_logged_in", "data": {"status": 401}},
        "auth_invalid",
    ),
    # GraphQL
    *(
        Case(APOLLO, 200, {}, {"errors": [{"extensions": {"code": word}}], "data": None}, code)
        for word, code in (
            ("UNAUTHENTICATED", "auth_invalid"),
            ("FORBIDDEN", "permission_denied"),
            ("access-denied", "permission_denied"),
            ("invalid-jwt", "auth_invalid"),
            ("RATE_LIMITED", "rate_limited"),
            ("BAD_USER_INPUT", "request_rejected"),
            ("INTERNAL_SERVER_ERROR", "provider_error"),
        )
    ),
    Case(
        "https://docs.aws.amazon.com/appsync/latest/devguide/troubleshooting-and-common-mistakes.html",
        401,
        {},
        {"errors": [{"errorType": "UnauthorizedException", "message": "Token has expired."}]},
        "auth_expired",
    ),
    # Standards
    Case(
        "https://www.rfc-editor.org/rfc/rfc9457#section-3",
        403,
        {"content-type": "application/problem+json"},
        {"type": "https://example.com/probs/out-of-credit", "title": "No.", "balance": 30},
        "payment_required",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc9457#section-3",
        400,
        {},
        {"type": "about:blank", "title": "Unauthorized"},
        "auth_invalid",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc8555#section-6.7",
        400,
        {},
        {"type": "urn:ietf:params:acme:error:rateLimited"},
        "rate_limited",
    ),
    Case(
        "https://jsonapi.org/format/#error-objects",
        422,
        {},
        {"errors": [{"status": "401", "code": "x", "title": "y"}]},
        "auth_invalid",
    ),
    Case(
        "https://jsonapi.org/format/#error-objects",
        400,
        {},
        {"errors": [{"status": "422"}, {"status": "429"}]},
        "rate_limited",
    ),
    Case(
        "https://docs.oasis-open.org/wss/v1.1/wss-v1.1-spec-os-SOAPMessageSecurity.pdf",
        500,
        {},
        soap("wsse:FailedAuthentication", "<![CDATA[could not be authenticated]]>"),
        "auth_invalid",
    ),
    Case(
        "https://www.w3.org/TR/soap12-part1/#soapfault",
        500,
        {},
        "<env:Envelope><env:Body><env:Fault><env:Code><env:Value>env:Sender</env:Value>"
        "<env:Subcode><env:Value>wsse:InvalidSecurityToken</env:Value></env:Subcode></env:Code>"
        "</env:Fault></env:Body></env:Envelope>",
        "auth_invalid",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc6750#section-3",
        401,
        {
            "www-authenticate": 'Basic realm="a, error=\\"insufficient_scope\\"", '
            "Bearer error = invalid_token, error_description='x'"
        },
        "",
        "auth_invalid",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        403,
        {"www-authenticate": 'Basic realm="x", DPoP algs="ES256", error="insufficient_scope"'},
        "",
        "scope_missing",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        400,
        {"www-authenticate": 'Bearer realm="x", error="invalid_request"'},
        "",
        "request_rejected",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
        400,
        {"content-type": "application/x-www-form-urlencoded"},
        "error=invalid_client&error_description=no",
        "auth_invalid",
    ),
    # In front of the API
    Case(CLOUDFLARE, 403, {"cf-mitigated": "challenge"}, "", "blocked_by_intermediary"),
    Case(CLOUDFLARE, 503, HTML, page("Just a moment..."), "blocked_by_intermediary"),
    Case(CLOUDFLARE, 403, HTML | {"server": "cloudflare"}, page("No"), "blocked_by_intermediary"),
    Case(
        CLOUDFLARE_1XXX,
        403,
        {"server": "cloudflare", "content-type": "text/plain"},
        "error code: 1020",
        "blocked_by_intermediary",
    ),
    Case(
        CLOUDFLARE_1XXX,
        403,
        {"server": "cloudflare"},
        "error code: 1010",
        "blocked_by_intermediary",
    ),
    Case(
        CLOUDFLARE_1XXX,
        429,
        {"server": "cloudflare", "retry-after": "20"},
        "error code: 1015",
        "rate_limited",
        20,
    ),
    Case(
        CLOUDFLARE_1XXX,
        403,
        {"content-type": "application/problem+json"},
        {
            "type": f"{CLOUDFLARE_1XXX}error-1020/",
            "title": "Error 1020: Access denied",
            "error_code": 1020,
        },
        "blocked_by_intermediary",
    ),
    Case(
        f"{WAFW00F}/imunify360.py",
        403,
        {},
        {"message": "Access denied by Imunify360 bot-protection."},
        "blocked_by_intermediary",
    ),
    Case(
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/"
        "load-balancer-troubleshooting.html",
        403,
        HTML | {"server": "awselb/2.0"},
        page("403 Forbidden"),
        "blocked_by_intermediary",
    ),
    Case(
        "an API's own 403, through Cloudflare",
        403,
        {"server": "cloudflare", "content-type": "application/json"},
        {"error": "forbidden"},
        "permission_denied",
    ),
    Case(
        "https://docs.aws.amazon.com/waf/latest/developerguide/"
        "waf-captcha-and-challenge-actions.html",
        405,
        {"x-amzn-waf-action": "captcha"},
        "",
        "blocked_by_intermediary",
    ),
    Case(
        "https://docs.aws.amazon.com/waf/latest/developerguide/"
        "waf-captcha-and-challenge-actions.html",
        202,
        {"x-amzn-waf-action": "challenge"},
        "",
        "blocked_by_intermediary",
    ),
    Case(
        "https://vercel.com/docs/vercel-firewall",
        429,
        {"x-vercel-mitigated": "challenge"},
        "",
        "blocked_by_intermediary",
    ),
    Case(
        f"{WAFW00F}/kona.py",
        403,
        HTML | {"server": "AkamaiGHost"},
        page("Access Denied", "Reference #18.a1"),
        "blocked_by_intermediary",
    ),
    Case(
        f"{WAFW00F}/incapsula.py",
        200,
        HTML,
        page("", "<iframe>Request unsuccessful. Incapsula incident ID: 1-2</iframe>"),
        "blocked_by_intermediary",
    ),
    Case(
        "https://docs.datadome.co/docs/",
        403,
        {"x-datadome": "protected"},
        {"url": "https://geo.captcha-delivery.com/captcha/?initialCid=A"},
        "blocked_by_intermediary",
    ),
    Case(
        f"{WAFW00F}/perimeterx.py",
        403,
        {},
        '{"appId":"PX1","jsClientSrc":"/x/init.js","vid":"a","uuid":"b"}',
        "blocked_by_intermediary",
    ),
    Case(
        f"{WAFW00F}/f5bigipasm.py",
        200,
        HTML,
        page(
            "Request Rejected",
            "The requested URL was rejected. Please consult with your administrator.",
        ),
        "blocked_by_intermediary",
    ),
    Case(
        "https://help.zscaler.com/zia/configuring-end-user-notifications",
        403,
        HTML | {"server": "Zscaler/6.2"},
        page("Access Denied"),
        "blocked_by_intermediary",
    ),
    Case(
        "https://wiki.squid-cache.org/SquidFaq/TroubleShooting",
        403,
        HTML | {"x-squid-error": "ERR_ACCESS_DENIED 0"},
        page("ERROR: The requested URL could not be retrieved"),
        "blocked_by_intermediary",
    ),
    Case(
        "https://wiki.squid-cache.org/SquidFaq/TroubleShooting",
        503,
        HTML | {"x-squid-error": "ERR_CONNECT_FAIL 111"},
        page("ERROR: The requested URL could not be retrieved"),
        "provider_error",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.8",
        407,
        {"proxy-authenticate": "Basic"},
        "",
        "blocked_by_intermediary",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc6585#section-6",
        511,
        HTML,
        page("Login required"),
        "blocked_by_intermediary",
    ),
    Case(
        "https://www.rfc-editor.org/rfc/rfc9209#section-2.3.11",
        403,
        {"proxy-status": "edge.example.net; error=http_request_denied"},
        "",
        "blocked_by_intermediary",
    ),
    Case("https://www.rfc-editor.org/rfc/rfc7725", 451, {}, "", "blocked_by_intermediary"),
    Case("https://http.dev/999", 999, {}, "", "blocked_by_intermediary"),
    # A reason among several, the page of a filter, and other words.
    Case(
        SALESFORCE,
        500,
        {},
        soap(
            "INVALID_LOGIN",
            "INVALID_LOGIN: Invalid username, password, security token; or user locked out.",
        ),
        "auth_invalid",
    ),
    Case(
        "https://github.com/EnableSecurity/wafw00f/blob/master/wafw00f/plugins/sonicwall.py",
        403,
        HTML,
        page("Web Site Blocked"),
        "blocked_by_intermediary",
    ),
    Case(
        "https://github.com/EnableSecurity/wafw00f/blob/master/wafw00f/plugins/stackpath.py",
        403,
        HTML,
        page("x", "is using a security service for protection against online attacks"),
        "blocked_by_intermediary",
    ),
    Case(
        "https://github.com/RSS-Bridge/rss-bridge/issues/3802",
        403,
        HTML,
        page("Blocked", "Your request has been blocked due to a network policy."),
        "blocked_by_intermediary",
    ),
    Case(
        "https://developers.docusign.com/platform/resource-limits/",
        400,
        {},
        {"errorCode": "HOURLY_APIINVOCATION_LIMIT_EXCEEDED", "message": "x"},
        "rate_limited",
    ),
    Case(
        "https://developer.atlassian.com/cloud/bitbucket/bitbucket-cloud-rest-api-scopes",
        403,
        {},
        {
            "type": "error",
            "error": {
                "message": "Your credentials lack one or more required privilege scopes.",
                "detail": {"required": ["account"], "granted": []},
            },
        },
        "scope_missing",
    ),
    Case(
        "https://community.zapier.com/troubleshooting-99/bigcommerce-error-you-don-t-have-a-required-scope-to-access-the-endpoint-24393",
        403,
        {},
        {"status": 403, "title": "You don't have a required scope to access the endpoint"},
        "scope_missing",
    ),
    Case(
        "https://developers.cloudflare.com/fundamentals/api/troubleshooting/",
        400,
        {},
        {
            "success": False,
            "errors": [
                {
                    "code": 6003,
                    "message": "Invalid request headers",
                    "error_chain": [
                        {"code": 6111, "message": "Invalid format for Authorization header"}
                    ],
                }
            ],
        },
        "auth_invalid",
    ),
    Case(
        "https://developers.cloudflare.com/api/tokens/create",
        403,
        {},
        {
            "success": False,
            "errors": [
                {
                    "code": 9109,
                    "message": "Cannot use the access token from location: 192.0.2.7",
                }
            ],
        },
        "address_not_allowed",
    ),
    Case(
        "https://help.elevenlabs.io/hc/en-us/articles/19572237925521",
        401,
        {},
        {
            "detail": {
                "status": "quota_exceeded",
                "message": "This request exceeds your quota. You have 0 credits remaining",
            }
        },
        "payment_required",
    ),
    Case(
        "https://developers.facebook.com/docs/graph-api/guides/error-handling",
        400,
        {},
        {
            "error": {
                "message": "Unsupported get request. Object with ID 'act_1' does not exist",
                "type": "GraphMethodException",
                "code": 100,
                "error_subcode": 33,
            }
        },
        "not_found",
    ),
    # Errors in a 200.
    Case(
        "https://www.jsonrpc.org/specification#error_object",
        200,
        {},
        {
            "jsonrpc": "2.0",
            "error": {
                "code": 200,
                "message": "Odoo Server Error",
                "data": {"name": "odoo.exceptions.AccessDenied", "message": "Access Denied"},
            },
        },
        "permission_denied",
    ),
    Case(
        "https://www.zabbix.com/documentation/current/en/manual/api/reference/user/login",
        200,
        {},
        {
            "jsonrpc": "2.0",
            "error": {
                "code": -32602,
                "message": "Invalid params.",
                "data": "Incorrect user name or password or account is temporarily blocked.",
            },
        },
        "auth_invalid",
    ),
    Case(
        "https://developer.wordpress.org/apis/xml-rpc/",
        200,
        {"content-type": "text/xml"},
        '<?xml version="1.0"?><methodResponse><fault><value><struct><member><name>faultCode</name>'
        "<value><int>403</int></value></member><member><name>faultString</name><value><string>"
        "Incorrect username or password.</string></value></member></struct></value></fault>"
        "</methodResponse>",
        "auth_invalid",
    ),
    Case(
        "https://developers.weixin.qq.com/doc/oplatform/en/Return_codes/Return_code_descriptions_new.html",
        200,
        {},
        {"errcode": 42001, "errmsg": "access_token expired hint: [x]"},
        "auth_expired",
    ),
    Case(
        "https://developers.weixin.qq.com/doc/oplatform/en/Return_codes/Return_code_descriptions_new.html",
        200,
        {},
        {"errcode": 45009, "errmsg": "reach max api daily quota limit"},
        "rate_limited",
    ),
    Case(
        "https://dev.vk.com/en/reference/errors",
        200,
        {},
        {
            "error": {
                "error_code": 5,
                "error_msg": "User authorization failed: invalid access_token (4).",
            }
        },
        "auth_invalid",
    ),
    Case(
        "https://docs.kraken.com/exchange/guides/general/errors",
        200,
        {},
        {"error": ["EAPI:Invalid key"]},
        "auth_invalid",
    ),
    Case(
        "https://bybit-exchange.github.io/docs/v5/error",
        200,
        {},
        {"retCode": 10003, "retMsg": "API key is invalid.", "result": {}},
        "auth_invalid",
    ),
    Case(
        "https://www.flickr.com/services/api/response.json.html",
        200,
        {},
        {"stat": "fail", "code": 100, "message": "Invalid API Key (Key has invalid format)"},
        "auth_invalid",
    ),
    # Marketo refuses with a 200 and `success: false`, Zoho with words of its own.
    *(
        Case(MARKETO, 200, {}, {"success": False, "errors": [{"code": n, "message": m}]}, code)
        for n, m, code in (
            ("601", "Access token invalid", "auth_invalid"),
            ("602", "Access token expired", "auth_expired"),
            ("603", "Access denied", "permission_denied"),
            ("604", "Request time-out", "provider_error"),
            ("606", "Max rate limit '100' exceeded with in '20' secs", "rate_limited"),
            ("607", "Daily quota reached", "rate_limited"),
            ("608", "API Temporarily Unavailable", "provider_error"),
            ("611", "System error", "provider_error"),
            ("614", "Invalid subscription", "not_found"),
            ("615", "Concurrent access limit reached", "rate_limited"),
        )
    ),
    Case(ZOHO, 400, {}, {"code": "LIMIT_EXCEEDED", "status": "error"}, "rate_limited"),
    Case(ZOHO, 401, {}, {"code": "OAUTH_SCOPE_MISMATCH", "status": "error"}, "scope_missing"),
    # Xero's limit, in a 503 too, with its reason in a header or a form.
    Case(XERO, 503, {"x-rate-limit-problem": "day", "retry-after": "60"}, "", "rate_limited", 60),
    Case(
        XERO,
        503,
        {"content-type": "text/plain"},
        "oauth_problem=rate%20limit%20exceeded&oauth_problem_advice=please%20wait",
        "rate_limited",
    ),
    # A consent of a bank ends after 90 days: the customer connects the account again.
    Case(
        GOCARDLESS,
        401,
        {},
        {"summary": "End User Agreement (EUA) 1 has expired", "type": "AccessExpiredError"},
        "auth_expired",
    ),
    Case(
        GOCARDLESS,
        401,
        {},
        {
            "summary": "End User Agreement (EUA) 1 has expired",
            "detail": "EUA was valid for 90 days",
        },
        "auth_expired",
    ),
    Case(
        GOCARDLESS,
        403,
        {},
        {"summary": "IP address access denied", "detail": "Your IP 192.0.2.1 isn't whitelisted"},
        "address_not_allowed",
    ),
    Case(
        ELEVENLABS,
        401,
        {},
        {
            "detail": {
                "status": "detected_unusual_activity",
                "message": "Unusual activity detected.",
            }
        },
        "account_locked",
    ),
    Case(
        ELEVENLABS,
        401,
        {},
        {"detail": {"status": "quota_exceeded", "message": "You have 5 credits remaining"}},
        "payment_required",
    ),
    Case(LINEAR, 400, {}, apollo("AUTHENTICATION_ERROR"), "auth_invalid"),
    Case(LINEAR, 400, {}, apollo("FEATURE_NOT_ACCESSIBLE"), "permission_denied"),
    Case(LINEAR, 400, {}, apollo("RATELIMITED"), "rate_limited"),
    Case(FRESHDESK, 403, {}, {"code": "password_lockout"}, "account_locked"),
    Case(FRESHDESK, 403, {}, {"code": "require_feature"}, "payment_required"),
    Case(FRESHDESK, 403, {}, {"code": "ssl_required"}, "request_rejected"),
    Case(HUBSPOT, 403, {}, {"status": "error", "category": "BANNED"}, "account_locked"),
    Case(
        HUBSPOT, 401, {}, {"status": "error", "category": "REVOKED_AUTHENTICATION"}, "auth_revoked"
    ),
    *(
        Case(SALESFORCE, status, {}, [{"errorCode": word}], code)
        for word, status, code in (
            ("PASSWORD_LOCKOUT", 403, "account_locked"),
            ("INVALID_OPERATION_WITH_EXPIRED_PASSWORD", 403, "auth_expired"),
            ("LICENSE_LIMIT_EXCEEDED", 400, "payment_required"),
            ("STORAGE_LIMIT_EXCEEDED", 400, "payment_required"),
            ("QUERY_TIMEOUT", 400, "provider_error"),
            ("MUTUAL_AUTHENTICATION_FAILED", 403, "client_certificate_required"),
        )
    ),
    *(
        Case(SLACK, 200, {}, {"ok": False, "error": word}, code)
        for word, code in (
            ("is_bot", "permission_denied"),
            ("user_is_restricted", "permission_denied"),
            ("restricted_action", "permission_denied"),
            ("paid_teams_only", "payment_required"),
            ("message_limit_exceeded", "rate_limited"),
            ("team_added_to_org", "provider_error"),
        )
    ),
    *(
        Case(ENTRA, 400, {}, entra(number), code)
        for number, code in (
            (50059, "not_found"),
            (50074, "permission_denied"),
            (50128, "not_found"),
            (50142, "auth_expired"),
            (50144, "auth_expired"),
            (50158, "permission_denied"),
            (500133, "auth_expired"),
            (51004, "auth_invalid"),
            (53000, "permission_denied"),
            (53011, "account_locked"),
            (70001, "account_locked"),
            (1000502, "auth_expired"),
        )
    ),
    # A clock that is wrong, and a request without what the API wants, are not about the key.
    Case(S3, 403, {}, "<Error><Code>RequestTimeTooSkewed</Code></Error>", "request_rejected"),
    Case(
        GITHUB_TROUBLE,
        403,
        {"content-type": "text/plain"},
        "Request forbidden by administrative rules. Please make sure your request has a User-Agent "
        "header",
        "request_rejected",
    ),
    Case(
        SAP, 403, {"content-type": "text/plain"}, "CSRF token validation failed", "request_rejected"
    ),
    Case(AWS, 403, {}, "<Error><Code>RegionDisabledException</Code></Error>", "account_locked"),
    Case(GITHUB, 403, {}, {"message": "This installation has been suspended"}, "account_locked"),
    Case(
        GITHUB,
        403,
        {},
        {"message": "Maximum number of login attempts exceeded. Please try again later."},
        "rate_limited",
    ),
    Case(
        GITHUB,
        403,
        {},
        {"message": "Upgrade to GitHub Pro or make this repository public to enable this feature."},
        "payment_required",
    ),
    Case(
        SHOPIFY,
        403,
        {},
        {"errors": "[API] This action requires merchant approval for read_orders scope."},
        "scope_missing",
    ),
    Case(
        GOOGLE_CLOUD,
        403,
        {},
        {"error": {"message": "Your API key was reported as leaked. Please use another API key."}},
        "auth_revoked",
    ),
    Case(
        GOOGLE_CLOUD,
        400,
        {},
        {"error": {"message": "User location is not supported for the API use."}},
        "address_not_allowed",
    ),
    Case(
        TELEGRAM, 400, {}, {"ok": False, "description": "Bad Request: chat not found"}, "not_found"
    ),
    Case(
        ZENDESK,
        403,
        {},
        {"error": "This account is restricted by IP address"},
        "address_not_allowed",
    ),
    Case(
        ATLASSIAN, 403, {}, {"error": "Failed to parse Connect Session Auth Token"}, "auth_invalid"
    ),
    Case(SERVICENOW, 403, HTML, page("Instance Hibernating page"), "account_locked"),
    # Servers that want a client certificate after the handshake
    Case(
        "https://httpd.apache.org/docs/2.4/ssl/ssl_howto.html",
        403,
        HTML,
        page("403 Forbidden", "<p>Reason: Cannot perform Post-Handshake Authentication.<br></p>"),
        "client_certificate_required",
    ),
    Case(IIS, 403, HTML, page("IIS 10.0 Detailed Error - 403.7"), "client_certificate_required"),
    Case(IIS, 403, HTML, page("IIS 10.0 Detailed Error - 403.16"), "client_certificate_refused"),
    Case(IIS, 403, HTML, page("IIS 10.0 Detailed Error - 403.6"), "address_not_allowed"),
    # Ways to log in that no check uses: the password may be right.
    *(
        Case(RFC_7235, 401, {"www-authenticate": challenges}, "", code)
        for challenges, code in (
            ("Negotiate, NTLM", "authentication_unsupported"),
            ('Digest realm="a, Basic b", qop="auth", nonce="x"', "authentication_unsupported"),
            ('Digest realm="a", Basic realm="b"', "auth_invalid"),
            ("Bearer", "auth_invalid"),
            ("Negotiate oYH1==", "authentication_unsupported"),
        )
    ),
    # Discord says only when.
    Case(DISCORD, 429, {"x-ratelimit-reset-after": "12.5"}, "", "rate_limited", 13),
    Case(DISCORD, 429, {"x-ratelimit-reset": IN_A_MINUTE}, "", "rate_limited", 60),
    Case(PLAID, 400, {}, {"error_code": "INSTITUTION_DOWN"}, "provider_error"),
    Case(PLAID, 400, {}, {"error_code": "ITEM_LOGIN_REQUIRED"}, "auth_invalid"),
    Case(
        "https://business-api.tiktok.com/portal/docs?id=1737172488964097",
        200,
        {},
        {"code": 40100, "message": "Requests made too frequently", "request_id": "1"},
        "rate_limited",
    ),
    Case(
        "https://docs.gitlab.com/user/account/",
        403,
        {},
        {"message": "403 Forbidden - Your account has been blocked."},
        "account_locked",
    ),
    Case(
        "https://www.elastic.co/docs/deploy-manage/license",
        403,
        {},
        {"error": {"reason": "current license is non-compliant for [x]"}},
        "payment_required",
    ),
    Case(
        "https://learn.microsoft.com/azure/ai-services/cognitive-services-virtual-networks",
        403,
        {},
        {
            "error": {
                "code": "403",
                "message": "Access denied due to Virtual Network/Firewall rules.",
            }
        },
        "address_not_allowed",
    ),
    Case(
        "https://learn.microsoft.com/azure/key-vault/general/rest-error-codes",
        403,
        {},
        {"error": {"code": "Forbidden", "innererror": {"code": "ForbiddenByFirewall"}}},
        "address_not_allowed",
    ),
    Case(
        "https://console.groq.com/docs/errors",
        400,
        {},
        {"error": {"message": "x", "code": "organization_restricted"}},
        "account_locked",
    ),
    Case(
        "https://developers.deepl.com/docs/best-practices/error-handling",
        456,
        {},
        {"message": "Quota exceeded"},
        "payment_required",
    ),
    Case(
        "https://mailchimp.com/developer/transactional/docs/error-glossary/",
        500,
        {},
        {"status": "error", "code": -1, "name": "Invalid_Key", "message": "Invalid API key"},
        "auth_invalid",
    ),
    # Bot walls, firewalls, and proxies in front
    *(
        Case(IN_FRONT, status, {**HTML, **headers}, body, "blocked_by_intermediary")
        for status, headers, body in (
            (429, {"x-kpsdk-ct": "0a"}, page("")),
            (429, {}, page("", "<script>window.KPSDK={};</script>")),
            (403, {}, '{"appId": "PX1", "jsClientSrc": "/i.js", "vid": "", "hostUrl": "/x"}'),
            (403, {}, page("Challenge", "<div id='sec-if-cpt-container'>")),
            (428, {}, '{"sec-cp-challenge": "true", "provider": "crypto"}'),
            (403, {"x-iinfo": "1-2-3"}, page("Error")),
            (403, {"x-sucuri-id": "11"}, page("Error")),
            (429, {}, page("Vercel Security Checkpoint")),
            (403, {}, page("Client Challenge")),
            (
                429,
                {},
                page(
                    "Sorry...",
                    "Our systems have detected unusual traffic from your computer network.",
                ),
            ),
            (503, {}, page("x", "your computer or network may be sending automated queries.")),
            (403, {}, "<!doctype html><meta charset=utf-8><title>403</title>403 Forbidden"),
            (403, {}, page("x", "Zscaler to protect you from internet threats")),
            (403, {}, page("Attack Detected", "Attack ID: 20000051")),
            (403, {}, page("x", "denied because of its content categorization")),
            (403, {}, page("Access Denied", "Access Denied (policy_denied)")),
            (503, {}, page("Application Blocked", "blocked in accordance with company policy")),
            (403, {}, page("UserCheck", "Access to this site is blocked")),
            (403, {}, page("Response denied by WatchGuard HTTP Proxy")),
            (403, {"server": "Cisco Umbrella"}, page("x")),
            (403, {}, page("x", "Sophos: this website has been blocked")),
            (403, {}, page("x", "The Websense category is filtered")),
            (403, {}, page("Access Blocked", "The Barracuda Web Filter")),
            (403, {}, page("Access blocked", "Cloudflare Gateway blocked this page")),
            (403, {}, page("McAfee Web Gateway", "URL Blocked")),
            (403, {}, page("Unauthorized Request Blocked")),
            (403, {}, page("x", "NS Transaction id: 1")),
            (403, {"server": "Reblaze Secure Web Gateway"}, page("x")),
            (405, {}, page("Pardon Our Interruption")),
            (
                403,
                {},
                page(
                    "x", "Please enable JavaScript to view the page content. Your support ID is: 1"
                ),
            ),
        )
    ),
    Case(
        "https://learn.microsoft.com/azure/web-application-firewall/afds/waf-front-door-configure-custom-response-code",
        403,
        {"x-azure-ref": "20260217T100000Z-0a"},
        page("x", "The request is blocked."),
        "blocked_by_intermediary",
    ),
    Case(
        "https://developers.docusign.com/docs/esign-rest-api/esign101/error-codes/troubleshooting-common-errors/",
        400,
        {},
        {"errorCode": "USER_LACKS_MEMBERSHIP", "message": "The UserID is no member."},
        "permission_denied",
    ),
    Case(
        "https://developers.brevo.com/docs/ip-security",
        401,
        {},
        {
            "code": "unauthorized",
            "message": "We have detected you are using an unrecognized IP address 192.0.2.1.",
        },
        "address_not_allowed",
    ),
    # The same headers and words of an API are its own.
    Case(
        IN_FRONT,
        403,
        {"x-azure-ref": "0a"},
        {"message": "The request is blocked."},
        "permission_denied",
    ),
    Case(IN_FRONT, 403, {"x-iinfo": "1-2-3"}, {"error": "forbidden"}, "permission_denied"),
    Case(IN_FRONT, 401, {"x-kpsdk-ct": "0a"}, {"error": "invalid_token"}, "auth_invalid"),
    Case(IN_FRONT, 403, {}, {"error": "Zscaler: policy blocked"}, "permission_denied"),
)
