"""The words that providers use for refusals, with the pages that document them. Data.

A *word* is the name of an error: the value of `error`, `code`, `reason`, `type`, or a header. Words
are compared by letters and digits alone, so `rateLimitExceeded`, `RATE_LIMIT_EXCEEDED`, and
`rate-limit-exceeded` are one word. A *number* can take the place of a word. Small numbers have a
different meaning for each provider, so they count only in an object with one of the provider's
`marks`, which are keys or `key=value`.

A word without a row is matched by its form (`SHAPES`), and a sentence by `SENTENCES`.

`word_meanings` is the only reader.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from patchbay.checks.codes import Code


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of one provider, standard, or framework, separated by spaces."""

    name: str
    url: str
    words: Mapping[Code, str] = field(default_factory=dict)
    numbers: Mapping[Code, tuple[int, ...]] = field(default_factory=dict)
    marks: tuple[str, ...] = ()


VOCABULARIES: Final = (
    # Standards
    Vocabulary(
        "OAuth 2.0 bearer tokens",
        "https://www.rfc-editor.org/rfc/rfc6750#section-3.1",
        {
            "auth_invalid": "invalid_token",
            "scope_missing": "insufficient_scope",
            "request_rejected": "invalid_request",
        },
    ),
    Vocabulary(
        "OAuth 2.0",
        "https://www.rfc-editor.org/rfc/rfc6749#section-5.2",
        {
            "auth_invalid": "invalid_client invalid_grant",
            "permission_denied": "unauthorized_client access_denied",
            "request_rejected": "unsupported_grant_type unsupported_response_type invalid_scope",
            "provider_error": "server_error temporarily_unavailable",
        },
    ),
    Vocabulary(
        "OAuth 2.0 DPoP",
        "https://www.rfc-editor.org/rfc/rfc9449#section-7.1",
        {"request_rejected": "use_dpop_nonce invalid_dpop_proof"},
    ),
    Vocabulary(
        "Resource indicators",
        "https://www.rfc-editor.org/rfc/rfc8707#section-2",
        {"request_rejected": "invalid_target"},
    ),
    Vocabulary(
        "Reason phrases, as titles of problem details",
        "https://www.rfc-editor.org/rfc/rfc9457#section-4.2.1",
        {
            "auth_invalid": "unauthorized",
            "payment_required": "payment_required",
            "permission_denied": "forbidden",
            "not_found": "not_found gone",
            "rate_limited": "too_many_requests",
        },
    ),
    Vocabulary(
        "gRPC",
        "https://grpc.io/docs/guides/status-codes/",
        {
            "auth_invalid": "UNAUTHENTICATED",
            "permission_denied": "PERMISSION_DENIED",
            "rate_limited": "RESOURCE_EXHAUSTED",
            "provider_error": "UNAVAILABLE INTERNAL DEADLINE_EXCEEDED",
            "request_rejected": "UNIMPLEMENTED",
        },
    ),
    Vocabulary(
        "WS-Security faults",
        "https://docs.oasis-open.org/wss/v1.1/wss-v1.1-spec-os-SOAPMessageSecurity.pdf",
        {
            "auth_invalid": "FailedAuthentication InvalidSecurity InvalidSecurityToken "
            "FailedCheck SecurityTokenUnavailable UnsupportedSecurityToken",
            "auth_expired": "MessageExpired",
        },
    ),
    Vocabulary(
        "GraphQL servers (Apollo)",
        "https://www.apollographql.com/docs/apollo-server/data/errors",
        {
            "auth_invalid": "UNAUTHENTICATED",
            "permission_denied": "FORBIDDEN",
            "rate_limited": "THROTTLED RATE_LIMITED",
            "request_rejected": "GRAPHQL_PARSE_FAILED GRAPHQL_VALIDATION_FAILED BAD_USER_INPUT "
            "PERSISTED_QUERY_NOT_FOUND PERSISTED_QUERY_NOT_SUPPORTED OPERATION_RESOLUTION_FAILURE",
            "provider_error": "INTERNAL_SERVER_ERROR",
        },
    ),
    # Clouds and gateways
    Vocabulary(
        "AWS",
        "https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html",
        {
            "auth_invalid": "IncompleteSignature InvalidClientTokenId MissingAuthenticationToken "
            "MissingAuthenticationTokenException UnrecognizedClientException "
            "SignatureDoesNotMatch InvalidSignatureException InvalidAccessKeyId AuthFailure "
            "NotAuthorizedException UnauthorizedException InvalidToken",
            "auth_expired": "ExpiredToken ExpiredTokenException RequestExpired",
            "permission_denied": "AccessDenied AccessDeniedException UnauthorizedOperation "
            "AuthorizationError ForbiddenException NotAuthorized",
            "account_locked": "OptInRequired AccountProblem PendingVerification "
            "SubscriptionRequiredException RegionDisabledException",
            "rate_limited": "Throttling ThrottlingException ThrottledException RequestThrottled "
            "RequestThrottledException RequestLimitExceeded TooManyRequestsException "
            "ProvisionedThroughputExceededException BandwidthLimitExceeded",
            "provider_error": "InternalFailure ServiceUnavailable ServiceUnavailableException",
            "request_rejected": "InvalidAction ValidationException UnknownOperationException",
        },
    ),
    Vocabulary(
        "Amazon S3",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html",
        {
            "rate_limited": "SlowDown",
            "auth_invalid": "InvalidAccessKeyId SignatureDoesNotMatch InvalidToken",
            "auth_expired": "ExpiredToken TokenRefreshRequired",
            "permission_denied": "AccessDenied AllAccessDisabled",
            "account_locked": "AccountProblem NotSignedUp InvalidPayer",
            "not_found": "NoSuchBucket NoSuchKey",
        },
    ),
    Vocabulary(
        "Google APIs, reasons",
        "https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto",
        {
            "auth_invalid": "API_KEY_INVALID CREDENTIALS_MISSING ACCESS_TOKEN_TYPE_UNSUPPORTED "
            "CONSUMER_INVALID API_KEY_NOT_FOUND SESSION_COOKIE_INVALID",
            "auth_expired": "ACCESS_TOKEN_EXPIRED API_KEY_EXPIRED",
            "auth_revoked": "ACCESS_TOKEN_REVOKED",
            "scope_missing": "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
            "permission_denied": "SERVICE_DISABLED API_KEY_SERVICE_BLOCKED USER_PROJECT_DENIED "
            "SECURITY_POLICY_VIOLATED LOCATION_POLICY_VIOLATED IAM_PERMISSION_DENIED "
            "SERVICE_NOT_ACTIVATED",
            "address_not_allowed": "API_KEY_IP_ADDRESS_BLOCKED API_KEY_HTTP_REFERRER_BLOCKED "
            "IP_ADDRESS_BLOCKED",
            "account_locked": "CONSUMER_SUSPENDED ACCOUNT_STATE_INVALID USER_BLOCKED_BY_ADMIN",
            "payment_required": "BILLING_DISABLED",
            "rate_limited": "RATE_LIMIT_EXCEEDED RESOURCE_QUOTA_EXCEEDED",
        },
    ),
    Vocabulary(
        "Google Workspace and Cloud APIs, older reasons",
        "https://developers.google.com/workspace/drive/api/guides/handle-errors",
        {
            "auth_invalid": "authError keyInvalid",
            "auth_expired": "keyExpired",
            "permission_denied": "insufficientPermissions insufficientFilePermissions "
            "appNotAuthorizedToFile domainPolicy accessNotConfigured forbidden",
            "address_not_allowed": "ipRefererBlocked",
            "account_locked": "accountDisabled accountDeleted accountSuspended",
            "payment_required": "billingNotEnabled",
            "rate_limited": "rateLimitExceeded userRateLimitExceeded quotaExceeded "
            "dailyLimitExceeded userRateLimitExceededUnreg dailyLimitExceededUnreg "
            "sharingRateLimitExceeded concurrentLimitExceeded variableTermLimitExceeded",
            "not_found": "notFound",
            "provider_error": "backendError internalError transientError",
        },
    ),
    Vocabulary(
        "Google Maps",
        "https://developers.google.com/maps/documentation/geocoding/requests-geocoding",
        {
            "auth_invalid": "REQUEST_DENIED",
            "rate_limited": "OVER_QUERY_LIMIT",
            "payment_required": "OVER_DAILY_LIMIT",
            "provider_error": "UNKNOWN_ERROR",
        },
    ),
    Vocabulary(
        "Microsoft Graph",
        "https://learn.microsoft.com/en-us/graph/errors",
        {
            "auth_invalid": "InvalidAuthenticationToken unauthenticated "
            "InvalidAuthenticationTokenTenant AuthenticationError MissingAuthenticationToken "
            "Authorization_IdentityNotFound",
            "auth_expired": "ExpiredAuthenticationToken",
            "permission_denied": "Authorization_RequestDenied accessDenied "
            "Authentication_RequestFromNonPremiumTenantOrB2CTenant ErrorAccessDenied notAllowed",
            "rate_limited": "TooManyRequests activityLimitReached ApplicationThrottled "
            "Request_ThrottledTemporarily",
            "not_found": "itemNotFound Request_ResourceNotFound ResourceNotFound "
            "MailboxNotEnabledForRESTAPI ErrorItemNotFound",
            "provider_error": "serviceNotAvailable generalException",
        },
    ),
    Vocabulary(
        "Azure Resource Manager",
        "https://learn.microsoft.com/en-us/azure/azure-resource-manager/troubleshooting/common-deployment-errors",
        {
            "auth_invalid": "AuthenticationFailed InvalidSubscriptionKey",
            "permission_denied": "AuthorizationFailed LinkedAuthorizationFailed "
            "MissingSubscriptionRegistration RequestDisallowedByPolicy",
            "account_locked": "SubscriptionNotRegistered ReadOnlyDisabledSubscription",
            "rate_limited": "TooManyRequests SubscriptionRequestsThrottled",
            "not_found": "SubscriptionNotFound ResourceGroupNotFound InvalidSubscriptionId",
        },
    ),
    Vocabulary(
        "Azure Storage",
        "https://learn.microsoft.com/en-us/rest/api/storageservices/common-rest-api-error-codes",
        {
            "auth_invalid": "AuthenticationFailed InvalidAuthenticationInfo "
            "NoAuthenticationInformation",
            "account_locked": "AccountIsDisabled",
            "permission_denied": "InsufficientAccountPermissions AuthorizationPermissionMismatch "
            "AuthorizationResourceTypeMismatch AuthorizationServiceMismatch "
            "AuthorizationProtocolMismatch PublicAccessNotPermitted",
            "address_not_allowed": "AuthorizationSourceIPMismatch",
            "rate_limited": "ServerBusy",
            "provider_error": "OperationTimedOut",
            "not_found": "ContainerNotFound ShareNotFound",
        },
    ),
    Vocabulary(
        "Microsoft Entra ID",
        "https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes",
        {
            "auth_invalid": "AADSTS700016 AADSTS7000215 AADSTS50034 AADSTS50126 AADSTS50012 "
            "AADSTS700027 AADSTS50013 AADSTS70000 AADSTS50020 AADSTS51004 AADSTS50056 AADSTS50058",
            "auth_expired": "AADSTS7000222 AADSTS700082 AADSTS70008 AADSTS700084 AADSTS50055 "
            "AADSTS50089 AADSTS700024 AADSTS70043 AADSTS500133 AADSTS50142 AADSTS50144 "
            "AADSTS1000502",
            "auth_revoked": "AADSTS50173",
            "account_locked": "AADSTS50053 AADSTS50057 AADSTS7000112 AADSTS53011 AADSTS70001",
            "permission_denied": "AADSTS65001 AADSTS65004 AADSTS90094 AADSTS50105 AADSTS53003 "
            "AADSTS50076 AADSTS50079 AADSTS501051 AADSTS50074 AADSTS50097 AADSTS50131 AADSTS50158 "
            "AADSTS53000 AADSTS53001 AADSTS530003 AADSTS530032",
            "not_found": "AADSTS90002 AADSTS900023 AADSTS500011 AADSTS50059 AADSTS50128",
            "request_rejected": "AADSTS900144 AADSTS70003 AADSTS90014 AADSTS900561 AADSTS70011 "
            "AADSTS650053 AADSTS9002313",
            "rate_limited": "AADSTS50196 AADSTS90055",
            "provider_error": "AADSTS90033 AADSTS90006",
        },
    ),
    Vocabulary(
        "Azure API Management",
        "https://learn.microsoft.com/en-us/azure/api-management/api-management-error-handling-policies",
        {
            "rate_limited": "RateLimitExceeded QuotaExceeded",
            "address_not_allowed": "CallerIpNotAllowed CallerIpBlocked",
            "auth_invalid": "SubscriptionKeyNotFound SubscriptionKeyInvalid TokenNotPresent "
            "TokenSignatureInvalid TokenAudienceNotAllowed TokenIssuerNotAllowed",
            "auth_expired": "TokenExpired",
        },
    ),
    Vocabulary(
        "Apigee",
        "https://docs.apigee.com/api-platform/reference/policies/oauth-http-status-code-reference",
        {
            "auth_invalid": "invalid_access_token InvalidAccessToken InvalidApiKey "
            "FailedToResolveAPIKey FailedToResolveAccessToken InvalidClientIdentifier",
            "auth_expired": "access_token_expired",
            "auth_revoked": "ApiKeyNotApproved",
            "permission_denied": "InvalidAPICallAsNoApiProductMatchFound apiresource_doesnot_exist",
            "scope_missing": "InsufficientScope",
            "address_not_allowed": "IPDeniedAccess",
            "rate_limited": "QuotaViolation SpikeArrestViolation",
        },
    ),
    Vocabulary(
        "WSO2 API Manager",
        "https://apim.docs.wso2.com/en/latest/troubleshooting/error-handling/",
        numbers={
            "rate_limited": (900800, 900801, 900802, 900803, 900804, 900806, 900807),
            "auth_invalid": (900901, 900902, 900903, 900904),
            "auth_expired": (900905,),
            "permission_denied": (900805, 900906, 900907, 900908, 900909),
            "scope_missing": (900910,),
        },
    ),
    Vocabulary(
        "TIBCO Cloud API Management (Mashery)",
        "https://developer.mashery.com/docs/read/mashery_api/20_reporting/error_codes",
        {
            "rate_limited": "ERR_403_DEVELOPER_OVER_QPS ERR_403_DEVELOPER_OVER_RATE "
            "ERR_403_SERVICE_OVER_QPS ERR_403_SERVICE_OVER_RATE ERR_429_DEVELOPER_OVER_QPS",
            "auth_invalid": "ERR_403_NOT_AUTHORIZED ERR_INVALID_APIKEY",
            "account_locked": "ERR_403_DEVELOPER_INACTIVE",
        },
    ),
    Vocabulary(
        "Kubernetes",
        "https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/",
        {
            "auth_invalid": "Unauthorized",
            "permission_denied": "Forbidden",
            "rate_limited": "TooManyRequests",
        },
    ),
    # Frameworks, whose words thousands of APIs send
    Vocabulary(
        "Django REST framework",
        "https://www.django-rest-framework.org/api-guide/exceptions/",
        {
            "auth_invalid": "authentication_failed not_authenticated token_not_valid",
            "rate_limited": "throttled",
        },
    ),
    Vocabulary(
        "WordPress",
        "https://developer.wordpress.org/rest-api/using-the-rest-api/authentication/",
        {
            "auth_invalid": "rest_not_logged_in incorrect_password invalid_username "
            "woocommerce_rest_authentication_error rest_cookie_invalid_nonce",
            "permission_denied": "rest_forbidden rest_cannot_view woocommerce_rest_cannot_view "
            "rest_user_cannot_view rest_forbidden_context",
            "not_found": "rest_no_route",
        },
    ),
    # Providers
    Vocabulary(
        "Salesforce",
        "https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_concepts_core_data_objects.htm",
        {
            "auth_invalid": "INVALID_SESSION_ID INVALID_LOGIN INVALID_AUTH_HEADER "
            "INVALID_AUTH_PROTOCOL",
            "auth_expired": "PASSWORD_EXPIRED INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
            "client_certificate_required": "MUTUAL_AUTHENTICATION_FAILED",
            "permission_denied": "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED "
            "INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY FUNCTIONALITY_NOT_ENABLED "
            "LOGIN_DURING_RESTRICTED_TIME",
            "account_locked": "ORG_LOCKED INACTIVE_OWNER_OR_USER PASSWORD_LOCKOUT "
            "ORGANIZATION_SUSPENDED",
            "payment_required": "TRIAL_EXPIRED LICENSE_LIMIT_EXCEEDED STORAGE_LIMIT_EXCEEDED",
            "address_not_allowed": "LOGIN_DURING_RESTRICTED_DOMAIN RESTRICTED_IP",
            "rate_limited": "REQUEST_LIMIT_EXCEEDED TOO_MANY_APEX_REQUESTS",
            "not_found": "NOT_FOUND",
            "provider_error": "SERVER_UNAVAILABLE REQUEST_RUNNING_TOO_LONG UNKNOWN_EXCEPTION "
            "QUERY_TIMEOUT",
        },
    ),
    Vocabulary(
        "GitHub, GraphQL",
        "https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api",
        {"rate_limited": "RATE_LIMITED RATE_LIMIT", "scope_missing": "INSUFFICIENT_SCOPES"},
    ),
    Vocabulary(
        "GitHub",
        "https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api",
        {"auth_invalid": "bad_credentials requires_authentication"},
    ),
    Vocabulary(
        "Meta",
        "https://developers.facebook.com/docs/graph-api/guides/error-handling",
        numbers={
            "auth_invalid": (102, 190, 464, 467),
            "auth_expired": (463,),
            "auth_revoked": (458, 460),
            "account_locked": (368, 459),
            "permission_denied": (3, 10, *range(200, 300)),
            "rate_limited": (4, 17, 32, 341, 613, *range(80000, 80015)),
            "not_found": (33, 803),
            "provider_error": (1, 2),
        },
        marks=("fbtrace_id", "error_subcode", "type=OAuthException", "type=GraphMethodException"),
    ),
    Vocabulary(
        "Esri ArcGIS",
        "https://developers.arcgis.com/rest/enterprise-administration/server/operationresponse/",
        numbers={"auth_invalid": (498, 499)},
    ),
    Vocabulary(
        "Shopify, GraphQL",
        "https://shopify.dev/docs/api/admin-graphql#status_and_error_codes",
        {
            "rate_limited": "THROTTLED",
            "permission_denied": "ACCESS_DENIED",
            "account_locked": "SHOP_INACTIVE",
        },
    ),
    Vocabulary(
        "Slack",
        "https://docs.slack.dev/reference/methods/auth.test",
        {
            "auth_invalid": "invalid_auth not_authed",
            "auth_expired": "token_expired",
            "auth_revoked": "token_revoked account_inactive",
            "scope_missing": "missing_scope",
            "permission_denied": "no_permission not_allowed_token_type team_access_not_granted "
            "ekm_access_denied enterprise_is_restricted access_denied org_login_required "
            "two_factor_setup_required is_bot user_is_restricted restricted_action",
            "payment_required": "paid_teams_only",
            "address_not_allowed": "accesslimited",
            "rate_limited": "ratelimited message_limit_exceeded",
            "provider_error": "fatal_error internal_error service_unavailable request_timeout "
            "team_added_to_org",
            "request_rejected": "deprecated_endpoint method_deprecated invalid_arguments",
        },
    ),
    Vocabulary(
        "HubSpot",
        "https://developers.hubspot.com/docs/api-reference/error-handling",
        {
            "auth_invalid": "INVALID_AUTHENTICATION",
            "auth_expired": "EXPIRED_AUTHENTICATION",
            "scope_missing": "MISSING_SCOPES",
            "account_locked": "BANNED",
            "auth_revoked": "REVOKED_AUTHENTICATION",
            "permission_denied": "USER_DOES_NOT_HAVE_PERMISSIONS",
            "rate_limited": "RATE_LIMITS RATE_LIMIT",
        },
    ),
    Vocabulary(
        "Stripe",
        "https://docs.stripe.com/error-codes",
        {
            "auth_invalid": "secret_key_required livemode_mismatch",
            "auth_expired": "api_key_expired platform_api_key_expired",
            "not_found": "account_invalid",
            "rate_limited": "rate_limit lock_timeout",
            "provider_error": "api_error",
        },
    ),
    Vocabulary(
        "OpenAI",
        "https://platform.openai.com/docs/guides/error-codes",
        {
            "auth_invalid": "invalid_api_key incorrect_api_key_provided invalid_organization",
            "payment_required": "insufficient_quota credit_balance_exhausted "
            "billing_hard_limit_reached billing_not_active",
            "account_locked": "account_deactivated",
            "address_not_allowed": "ip_not_authorized unsupported_country_region_territory",
            "rate_limited": "rate_limit_exceeded slow_down",
            "provider_error": "server_is_overloaded service_unavailable_error",
        },
    ),
    Vocabulary(
        "Anthropic",
        "https://docs.anthropic.com/en/api/errors",
        {
            "auth_invalid": "authentication_error",
            "permission_denied": "permission_error",
            "payment_required": "billing_error",
            "rate_limited": "rate_limit_error",
            "not_found": "not_found_error",
            "provider_error": "api_error overloaded_error timeout_error",
        },
    ),
    Vocabulary(
        "Twilio",
        "https://www.twilio.com/docs/api/errors",
        numbers={
            "auth_invalid": (20003, 20009, 20101, 20103, 20107),
            "auth_expired": (20104,),
            "permission_denied": (20006, 20008, 20403),
            "account_locked": (20005, 10001),
            "payment_required": (10002,),
            "not_found": (20404,),
            "rate_limited": (20429,),
        },
        marks=("more_info", "MoreInfo"),
    ),
    Vocabulary(
        "Zendesk",
        "https://developer.zendesk.com/api-reference/introduction/requests/",
        {
            "not_found": "RecordNotFound",
            "auth_invalid": "Couldn't_authenticate_you",
            "rate_limited": "APIRateLimitExceeded",
        },
    ),
    Vocabulary(
        "Jira Cloud, header RateLimit-Reason",
        "https://developer.atlassian.com/cloud/jira/platform/rate-limiting/",
        {
            "rate_limited": "jira-quota-global-based jira-quota-tenant-based jira-burst-based "
            "jira-per-issue-on-write"
        },
    ),
    Vocabulary(
        "Jira Data Center, header X-Authentication-Denied-Reason",
        "https://developer.atlassian.com/server/jira/platform/basic-authentication/",
        {"account_locked": "CAPTCHA_CHALLENGE"},
    ),
    Vocabulary(
        "Jira, header X-Seraph-LoginReason",
        "https://docs.atlassian.com/atlassian-seraph/latest/com/atlassian/seraph/auth/LoginReason.html",
        {"auth_invalid": "AUTHENTICATED_FAILED", "account_locked": "AUTHENTICATION_DENIED"},
    ),
    Vocabulary(
        "Notion",
        "https://developers.notion.com/reference/status-codes",
        {
            "permission_denied": "restricted_resource",
            "not_found": "object_not_found",
            "request_rejected": "missing_version invalid_request_url",
        },
    ),
    Vocabulary(
        "Airtable",
        "https://airtable.com/developers/web/api/errors",
        {
            "auth_invalid": "AUTHENTICATION_REQUIRED",
            "permission_denied": "INVALID_PERMISSIONS NOT_AUTHORIZED "
            "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND",
            "payment_required": "PUBLIC_API_BILLING_LIMIT_EXCEEDED",
            "rate_limited": "RATE_LIMIT_REACHED",
        },
    ),
    Vocabulary(
        "Box",
        "https://developer.box.com/guides/api-calls/permissions-and-errors/common-errors/",
        {
            "permission_denied": "access_denied_insufficient_permissions",
            "account_locked": "account_deactivated",
            "address_not_allowed": "access_denied_location_blocked",
        },
    ),
    Vocabulary(
        "Dropbox",
        "https://www.dropbox.com/developers/documentation/http/documentation#error-handling",
        {
            "auth_expired": "expired_access_token",
            "auth_invalid": "invalid_access_token invalid_select_user",
            "permission_denied": "route_access_denied invalid_account_type paper_access_denied",
            "account_locked": "user_suspended",
            "rate_limited": "too_many_write_operations",
        },
    ),
    Vocabulary(
        "Intercom",
        "https://developers.intercom.com/docs/references/rest-api/errors/error-codes",
        {
            "auth_invalid": "token_unauthorized token_not_found",
            "auth_revoked": "token_blocked token_suspended",
            "permission_denied": "action_forbidden",
            "payment_required": "api_plan_restricted",
        },
    ),
    Vocabulary(
        "Mailchimp",
        "https://mailchimp.com/developer/marketing/docs/errors/",
        {
            "auth_invalid": "APIKeyMissing APIKeyInvalid WrongDatacenter",
            "account_locked": "UserDisabled AccountDisabled",
            "permission_denied": "ComplianceRelated",
            "not_found": "ResourceNotFound",
        },
    ),
    Vocabulary(
        "Square",
        "https://developer.squareup.com/reference/square/enums/ErrorCode",
        {
            "auth_invalid": "AUTHENTICATION_ERROR INVALID_ACCOUNT",
            "auth_revoked": "CLIENT_DISABLED APPLICATION_DISABLED",
            "permission_denied": "INSUFFICIENT_PERMISSIONS",
        },
    ),
    Vocabulary(
        "PayPal",
        "https://developer.paypal.com/api/rest/responses/",
        {
            "auth_invalid": "AUTHENTICATION_FAILURE",
            "permission_denied": "NOT_AUTHORIZED",
            "rate_limited": "RATE_LIMIT_REACHED",
            "provider_error": "INTERNAL_SERVICE_ERROR",
        },
    ),
    Vocabulary(
        "QuickBooks Online",
        "https://developer.intuit.com/app/developer/qbo/docs/develop/troubleshooting/error-codes",
        {
            "auth_invalid": "AuthenticationFault AUTHENTICATION AuthenticationFailed",
            "permission_denied": "AuthorizationFault AUTHORIZATION ApplicationAuthorizationFailed",
            "rate_limited": "ThrottleExceeded",
            "payment_required": "InvalidCompanyStatus",
            "provider_error": "SystemFault",
        },
    ),
    Vocabulary(
        "Xero",
        "https://developer.xero.com/documentation/guides/oauth2/troubleshooting/",
        {
            "auth_invalid": "AuthenticationUnsuccessful",
            "permission_denied": "AuthorizationUnsuccessful",
        },
    ),
    Vocabulary(
        "Plaid",
        "https://plaid.com/docs/errors/",
        {
            "auth_invalid": "ITEM_LOGIN_REQUIRED INVALID_API_KEYS INVALID_ACCESS_TOKEN",
            "account_locked": "ITEM_LOCKED",
            "provider_error": "INSTITUTION_DOWN INSTITUTION_NOT_RESPONDING "
            "INSTITUTION_NOT_AVAILABLE",
        },
    ),
    Vocabulary(
        "Groq",
        "https://console.groq.com/docs/errors",
        {"account_locked": "organization_restricted"},
    ),
    Vocabulary(
        "Azure Key Vault",
        "https://learn.microsoft.com/azure/key-vault/general/rest-error-codes",
        {"address_not_allowed": "ForbiddenByFirewall ForbiddenByPolicy"},
    ),
    Vocabulary(
        "GoCardless Bank Account Data",
        "https://developer.gocardless.com/bank-account-data/statuses",
        {
            "auth_expired": "AccessExpiredError",
            "account_locked": "AccountInactiveError",
            "permission_denied": "AccountAccessForbidden",
            "rate_limited": "RateLimitError",
            "provider_error": "ConnectionError ServiceError UnknownRequestError",
        },
    ),
    Vocabulary(
        "ElevenLabs",
        "https://help.elevenlabs.io/hc/en-us/articles/19572237925521-API-Error-Code-400-or-401",
        {
            "account_locked": "detected_unusual_activity",
            "rate_limited": "too_many_concurrent_requests system_busy",
        },
    ),
    Vocabulary(
        "Linear",
        "https://linear.app/developers/graphql#errors",
        {
            "auth_invalid": "AUTHENTICATION_ERROR",
            "permission_denied": "FEATURE_NOT_ACCESSIBLE",
            "rate_limited": "RATELIMITED USAGE_LIMIT_EXCEEDED",
        },
    ),
    Vocabulary(
        "Freshdesk",
        "https://developers.freshdesk.com/api/#error",
        {
            "auth_invalid": "invalid_credentials",
            "account_locked": "account_suspended password_lockout",
            "payment_required": "require_feature",
        },
    ),
    Vocabulary(
        "LinkedIn",
        "https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling",
        {
            "auth_invalid": "INVALID_ACCESS_TOKEN EMPTY_ACCESS_TOKEN",
            "auth_expired": "EXPIRED_ACCESS_TOKEN",
            "auth_revoked": "REVOKED_ACCESS_TOKEN",
        },
    ),
    Vocabulary(
        "X",
        "https://docs.x.com/x-api/fundamentals/response-codes-and-errors",
        {
            "permission_denied": "client-forbidden ClientForbidden client-not-enrolled "
            "not-authorized-for-resource unsupported-authentication",
            "payment_required": "usage-capped UsageCapExceeded CreditsDepleted",
            "account_locked": "account-suspended",
            "rate_limited": "rate-limit-exceeded",
        },
    ),
    Vocabulary(
        "TikTok",
        "https://developers.tiktok.com/doc/tiktok-api-v2-error-handling",
        {
            "auth_invalid": "access_token_invalid",
            "scope_missing": "scope_not_authorized scope_permission_missed",
        },
    ),
    Vocabulary(
        "Docusign",
        "https://developers.docusign.com/platform/resource-limits/",
        {"rate_limited": "HOURLY_APIINVOCATION_LIMIT_EXCEEDED BURST_APIINVOCATION_LIMIT_EXCEEDED"},
    ),
    Vocabulary(
        "Docusign",
        "https://developers.docusign.com/docs/esign-rest-api/esign101/error-codes/troubleshooting-common-errors/",
        {
            "permission_denied": "ACCOUNT_LACKS_PERMISSIONS USER_LACKS_PERMISSIONS "
            "USER_LACKS_MEMBERSHIP ACCOUNT_NOT_AUTHORIZED_FOR_ENVELOPE",
        },
    ),
    Vocabulary(
        "Kraken",
        "https://docs.kraken.com/exchange/guides/general/errors",
        {
            "auth_invalid": "EAPI:InvalidKey EAPI:InvalidSignature",
            "rate_limited": "EAPI:RateLimitExceeded EGeneral:TemporaryLockout",
            "permission_denied": "EGeneral:PermissionDenied",
        },
    ),
    Vocabulary(
        "Zoho",
        "https://www.zoho.com/crm/developer/docs/api/v6/status-codes.html",
        {
            "auth_invalid": "INVALID_TOKEN AUTHENTICATION_FAILURE INVALID_OAUTHTOKEN invalid_code",
            "scope_missing": "OAUTH_SCOPE_MISMATCH",
            "permission_denied": "NO_PERMISSION AUTHORIZATION_FAILED",
            "rate_limited": "LIMIT_EXCEEDED TOO_MANY_REQUESTS",
            "request_rejected": "INVALID_URL_PATTERN INVALID_REQUEST_METHOD",
        },
    ),
    Vocabulary(
        "Monday",
        "https://developer.monday.com/api-reference/docs/error-handling",
        {
            "auth_invalid": "NotAuthenticated",
            "permission_denied": "UserUnauthorizedException missingRequiredPermissions",
            "rate_limited": "ComplexityException maxComplexityExceeded "
            "COMPLEXITY_BUDGET_EXHAUSTED FIELD_MINUTE_RATE_LIMIT_EXCEEDED "
            "maxConcurrencyExceeded IP_RATE_LIMIT_EXCEEDED DAILY_LIMIT_EXCEEDED",
        },
    ),
    Vocabulary(
        "Okta",
        "https://developer.okta.com/docs/reference/error-codes/",
        {
            "auth_invalid": "E0000004 E0000005 E0000011",
            "permission_denied": "E0000006 E0000015",
            "not_found": "E0000007 E0000008",
            "rate_limited": "E0000047",
            "account_locked": "E0000069",
            "provider_error": "E0000009",
        },
    ),
    Vocabulary(
        "PostgREST and Supabase",
        "https://docs.postgrest.org/en/stable/references/errors.html",
        {"auth_invalid": "PGRST301 PGRST302", "auth_expired": "PGRST303"},
    ),
    Vocabulary(
        "Auth0",
        "https://auth0.com/docs/api/management/v2",
        {"permission_denied": "feature_not_enabled", "auth_invalid": "invalid_signature"},
    ),
    Vocabulary(
        "Databricks",
        "https://docs.databricks.com/api/workspace/introduction",
        {
            "rate_limited": "REQUEST_LIMIT_EXCEEDED",
            "not_found": "RESOURCE_DOES_NOT_EXIST ENDPOINT_NOT_FOUND",
            "permission_denied": "FEATURE_DISABLED",
        },
    ),
    Vocabulary(
        "Snowflake",
        "https://github.com/snowflakedb/snowflake-connector-python/blob/main/src/snowflake/connector/network.py",
        numbers={
            "auth_invalid": (390113, 390115, 390195, 390303),
            "auth_expired": (390110, 390112, 390114, 390318),
        },
    ),
    Vocabulary(
        "MongoDB Atlas",
        "https://www.mongodb.com/docs/atlas/reference/api-errors/",
        {
            "address_not_allowed": "IP_ADDRESS_NOT_ON_ACCESS_LIST ORG_REQUIRES_ACCESS_LIST",
            "permission_denied": "USER_UNAUTHORIZED USER_CANNOT_ACCESS_ORG "
            "USER_CANNOT_ACCESS_GROUP",
            "payment_required": "NO_PAYMENT_INFORMATION_FOUND",
            "not_found": "GROUP_NOT_FOUND RESOURCE_NOT_FOUND",
        },
    ),
    Vocabulary(
        "NetSuite, SOAP faults",
        "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_N3539420.html",
        {
            "auth_invalid": "InvalidCredentialsFault InvalidPartnerCredentials",
            "auth_expired": "InvalidSessionFault",
            "permission_denied": "InsufficientPermissionFault",
            "address_not_allowed": "InvalidRequestIP",
            "not_found": "InvalidAccountFault",
            "rate_limited": "ExceededConcurrentRequestLimitFault ExceededRequestLimitFault",
        },
    ),
    Vocabulary(
        "NetSuite, error codes",
        "https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_N3539978.html",
        {
            "auth_invalid": "INVALID_LOGIN INVALID_LOGIN_ATTEMPT INVALID_LOGIN_CREDENTIALS",
            "auth_expired": "SESSION_TIMED_OUT",
            "account_locked": "ACCT_DISABLED",
            "permission_denied": "INSUFFICIENT_PERMISSION",
            "rate_limited": "SSS_REQUEST_LIMIT_EXCEEDED",
        },
    ),
    Vocabulary(
        "Sentry",
        "https://docs.sentry.io/api/auth/",
        {"permission_denied": "sso-required member-disabled-over-limit 2fa-required"},
    ),
    Vocabulary(
        "Foursquare",
        "https://docs.foursquare.com/developer/reference/errors",
        {"permission_denied": "not_authorized"},
    ),
)

STATUSES: Final[Mapping[int, Code]] = {
    401: "auth_invalid",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    429: "rate_limited",
}
"""HTTP statuses in a body, as JSON:API has them (https://jsonapi.org/format/#error-objects)."""

OTHER_TOKENS: Final = (
    r"(?:^|[_ ])(?:page|next|sync|continuation|cursor|csrf|xsrf|device|push|registration)"
    r"[_ -]?token"
)
"""Tokens of a page, a form, or a device, which are not the credential."""

_CREDENTIAL: Final = (
    r"(?:token|api_?key|access_?key|app_?key|credential|session|session_id|secret|secret_?key|jwt"
    r"|signature|certificate|password|passcode|login|grant|authentication|auth|bearer)"
)
_ACCOUNT: Final = (
    r"(?:account|user|org|organi[sz]ation|workspace|tenant|team|site|shop|store|project|merchant"
    r"|company|instance|subdomain|realm|application|app)"
)
_WRONG: Final = (
    r"(?:invalid|bad|missing|incorrect|wrong|unknown|malformed|empty|unrecognized|unsupported|no)"
)
_SHUT: Final = (
    r"(?:suspended|locked|disabled|deactivated|blocked|closed|frozen|inactive|banned|terminated"
    r"|not_active)"
)

SHAPES: Final[tuple[tuple[Code, str], ...]] = (
    ("auth_invalid", r"invalid_or_expired|expired_or_invalid"),
    (
        "payment_required",
        r"payment_required|billing_(?:required|disabled|inactive|suspended|not_|issue|problem)"
        r"|insufficient_(?:funds|credits?|balance|quota)|out_of_credits?|no_credits?"
        r"|credits?_(?:exhausted|depleted|exceeded)"
        r"|(?:trial|subscription|plan|license)_(?:has_)?(?:expired|ended|inactive|cancel\w*ed"
        r"|required|restricted)",
    ),
    # "Web Site Blocked" is the page of a filter.
    ("account_locked", rf"(?<!web)(?:^|_){_ACCOUNT}_(?:is_|has_been_)?{_SHUT}(?:_|$)"),
    (
        "address_not_allowed",
        r"(?:^|_)ip(?:_address)?_(?:is_)?(?:not_|blocked|denied|restricted|forbidden|banned)"
        r"|(?:blocked|forbidden|unauthorized|restricted|denied)_ip(?:_address)?(?:_|$)"
        r"|(?:^|_)ip_(?:restriction|allow_?list|white_?list|access_list)",
    ),
    (
        "auth_revoked",
        rf"{_CREDENTIAL}s?_(?:has_been_|was_|is_)?(?:revoked|deleted|withdrawn)"
        rf"|(?:revoked|deleted)_(?:\w+_)?{_CREDENTIAL}|(?:app|application)_uninstalled",
    ),
    (
        "auth_expired",
        rf"{_CREDENTIAL}s?_(?:has_|is_)?expired|expired_(?:\w+_)?{_CREDENTIAL}",
    ),
    (
        "scope_missing",
        r"(?:insufficient|missing|incorrect|inadequate|wrong|no)_(?:\w+_)?scopes?$"
        r"|scopes?_(?:is_|are_)?(?:missing|insufficient|mismatch|required|not_)",
    ),
    (
        "rate_limited",
        r"rate_?limit|throttl|too_?many_?(?:requests|calls|concurrent|attempts|connections)"
        r"|quota_?(?:limit_?)?(?:exceeded|exhausted|reached|violation)|over_(?:query_)?limit"
        r"|(?:request|call|api|query|concurren\w+|daily|hourly|monthly|usage)s?_(?:rate_)?limits?"
        r"_(?:exceeded|reached)",
    ),
    (
        "permission_denied",
        r"(?:permission|access|privilege|authorization)s?_(?:is_)?(?:denied|missing|failed"
        r"|insufficient|error)|permissions?_required"
        r"|(?:insufficient|missing|invalid|no)_(?:\w+_)?(?:permission|privilege|access|right)s?"
        r"(?:_|$)|(?:^|_)forbidden(?:_|$)|(?:^|_)not_(?:authorized|permitted)(?:_|$)|^not_allowed"
        r"|unauthorized_(?:access|operation|client)"
        r"|(?:feature|api|service)_(?:is_)?(?:disabled|not_enabled|not_activated|unavailable_for)"
        r"|(?:sso|mfa|2fa)_required",
    ),
    (
        "auth_invalid",
        r"(?:^|_)un_?authenticated(?:_|$)|^un_?authorized|(?:^|_)not_(?:authenticated|logged_in)"
        r"|auth(?:entication)?_(?:failed|failure|error|required|invalid)"
        r"|(?:missing_)?authorization(?:_required|_missing)?$"
        rf"|login_required|^{_WRONG}_(?:\w+_)?{_CREDENTIAL}s?(?:$|_exception|_error)"
        rf"|^(?:\w+_)?{_CREDENTIAL}s?_(?:is_)?(?:invalid|missing|incorrect|not_found|rejected"
        r"|unknown|malformed|required|not_valid|not_provided|unauthorized)$"
        r"|^(?:bad|invalid|unknown)_client$",
    ),
    (
        "not_found",
        r"(?:^|_)not_?found$|(?:does_not|doesn_?t)_exist$|^no_such_"
        r"|^(?:unknown|nonexistent|invalid)_(?:account|org|organi[sz]ation|workspace|tenant|site"
        r"|shop|store|project|company|subdomain|realm)(?:_id)?$",
    ),
)
"""Patterns of words without a row, in lower case with `_` between the parts. The first match
decides."""

_NAMED: Final = (
    r"(?:token|(?:api|access|subscription|app|application)[- ]?key|auth\w* key"
    r"|credentials?|session(?: id)?|client secret|secret(?: key)?|jwt|signature|client certificate"
    r"|password|authentication|login|grant|authorization header)"
)
_OWNED: Final = (
    r"(?:account|user|organi[sz]ation|workspace|tenant|team|site|shop|store|company|subscription)"
)

SENTENCES: Final[tuple[tuple[Code, str], ...]] = (
    # nginx: http://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors
    # IIS: https://learn.microsoft.com/troubleshoot/developer/webapps/iis/www-administration-management/http-status-code
    # Apache: https://httpd.apache.org/docs/2.4/ssl/ssl_howto.html
    (
        "client_certificate_required",
        r"no required ssl certificate was sent|\b403\.7\b"
        r"|cannot perform post-handshake authentication",
    ),
    ("client_certificate_refused", r"the ssl certificate error|\b403\.1[367]\b"),
    (
        "payment_required",
        r"credit balance is too low|(?:\b0|\bno|not have enough) credits?\b|out of credits?"
        r"|insufficient (?:funds|credits?|balance)"
        r"|credits? (?:exhausted|depleted|exceeded|remaining)|payment required|billing problem"
        r"|\blicense is non-compliant|upgrade to [^.]{1,60}\bto (?:enable|use)\b"
        r"|billing (?:has not been|is not|must be|to be) (?:enabled|active)"
        r"|(?:past due|unpaid|overdue) inv"
        r"|(?:trial|subscription|plan|license)\b(?: period)? (?:has |is |was )?(?:expired|ended"
        r"|cancel\w*ed|inactive)|not (?:available|included|supported) (?:on|in|for|with) your"
        r" (?:current )?(?:plan|subscription)|only available (?:for|on|to|in) (?:a )?paid"
        r"|plan does not (?:include|allow|support)"
        # Calendly: https://docs.opennous.cloud/webhooks/calendly
        r"|\bupgrade your [^.]{0,30}\b(?:account|plan|subscription)\b",
    ),
    (
        "account_locked",
        # "…, or user locked out" is one of several reasons.
        rf"(?<! or )\b{_OWNED}\b(?: \S{{1,40}})? (?:has been |is |was |is currently )?"
        r"(?:temporarily )?(?:suspended|locked|disabled|deactivated|closed|frozen|inactive"
        r"|banned|not active)"
        r"|\baccount inactive\b|\binstance (?:is )?hibernating|\bunusual activity detected"
        r"|\binstallation has been suspended|\baccount has been blocked",
    ),
    (
        "address_not_allowed",
        r"\bip\b[^.]{0,60}(?:\d[^ ]* )?(?:is |are )?(?:not (?:allowed|authorized|permitted"
        r"|whitelisted|allowlisted|on)|blocked|restricted)|ip (?:allow|white|access)[- ]?list"
        r"|(?:blocked|denied) by [^.]{0,30}\bip acl\b"
        r"|not (?:allowed|authorized) from (?:your|this) ip|\bfrom location: \d"
        r"|\bip\b.{0,80}? not in (?:the )?whitelist"
        r"|\bip\b[\d. ]{0,20}isn't (?:allowed|authorized|permitted|whitelisted|allowlisted)"
        r"|\bip address (?:access )?(?:denied|has been rejected)|restricted by ip\b|\b403\.6\b"
        r"|\blocation is not supported|denied due to virtual network/firewall"
        r"|blocked by your [\w ]{1,40} firewall"
        # Brevo: https://developers.brevo.com/docs/ip-security
        r"|\bunrecogni[sz]ed ip address",
    ),
    (
        "auth_revoked",
        rf"\b{_NAMED}s?\b[^.]{{0,40}}\brevoked\b|\brevoked (?:access |api )?{_NAMED}"
        rf"|\b{_NAMED}\b[^.]{{0,20}}\breported as leaked",
    ),
    (
        "auth_expired",
        rf"\b{_NAMED}s?\b[^.]{{0,40}}\bexpired\b|\bexpired (?:\w+ )?{_NAMED}"
        r"|\b(?:agreement|consent|access)\b(?: \(\w+\))?(?: \S{1,40})? has expired",
    ),
    (
        "scope_missing",
        r"insufficient (?:\w+ )?scopes?\b|does not contain scopes|scopes?\b[^.]{0,30}(?:does not"
        r" match|mismatch|not granted|are missing|is missing|insufficient)"
        r"|missing (?:\w+ )?scopes?\b"
        r"|granted all required scopes|requires? (?:one of )?(?:the )?(?:following )?scopes?\b"
        r"|\black(?:s|ing)?\b[^.]{0,40}\bscopes?\b"
        r"|(?:does|do)(?: not|n't) have (?:\w+ ){0,3}scopes?\b|is missing the permission\b"
        r"|merchant approval for \w+ scope|scope and url mismatch"
        r"|(?:following|required) scopes? (?:is|are) required",
    ),
    (
        "rate_limited",
        r"\brate[- ]?limit|too many (?:requests|calls|concurrent|api|failed)|\bthrottl"
        r"|\b(?:request|call|api|usage|daily|hourly|monthly|queries per second|concurrency)"
        r" limits? (?:has been |was |is )?(?:exceeded|reached)|over queries per second limit"
        r"|quota (?:limit )?(?:has been |was |is )?(?:exceeded|exhausted|reached|violation)"
        r"|(?:exceeded|out of|reached) (?:\w+ ){0,4}(?:quota|call volume|rate)\b|\bslow down\b"
        r"|\bfrequency limit|\btoo frequently\b|\bqps limit"
        r"|(?:reach|exceed)\w* (?:the )?max \w+ (?:\w+ )?(?:quota|limit)"
        r"|number of login attempts exceeded|secondary rate"
        r"|abuse detection|number of allowed api requests|^limit exceeded\.?$",
    ),
    (
        "permission_denied",
        r"(?:does|do)(?: not|n't) have (?:\w+ ){0,4}(?:permissions?|access|privileges?|rights)"
        r"|permission denied|\bno permission to\b|access (?:is |was |has been )?denied"
        r"|access to [^.]{1,60} (?:is |has been )?(?:denied|disallowed|forbidden)"
        r"|(?:not (?:authorized|permitted|allowed)|unauthorized) (?:to|for)\b"
        r"|insufficient (?:permissions?|privileges?|rights|access)|\bforbidden\b"
        r"|has not been used in project|api (?:is|has) (?:not (?:been )?enabled|disabled)"
        r"|saml (?:sso|enforcement|single)|resource not accessible",
    ),
    (
        "auth_invalid",
        rf"\b(?:invalid|incorrect|wrong|bad|unknown|missing|no|malformed|unrecognized)"
        rf"(?: or (?:missing|expired|invalid))? (?:\w+ ){{0,2}}{_NAMED}\b"
        rf"|\b{_NAMED}\b[^.]{{0,30}}\b(?:not valid|invalid|incorrect|missing|not recognized"
        r"|not found|malformed|rejected|not provided|not match|disallowed)"
        r"|authentication (?:failed|failure|error|required)|failed to authenticate"
        r"|(?:not|un)[- ]?authenticated"
        r"|(?:could not|couldn't|unable to) (?:authenticate|validate cred)"
        r"|\bunauthorized\b|not logged in|login required|re-?login|authentication credentials"
        r"|(?:invalid|incorrect|wrong) user ?name|failed to parse [\w ]{0,30}auth token",
    ),
    (
        "not_found",
        rf"\b{_OWNED}\b[^.]{{0,60}}(?:not found|does not exist|doesn't exist|could not be found)"
        r"|\b(?:account|organi[sz]ation|workspace|tenant|site|shop|store|company)(?: id)?"
        r" is (?:invalid|unknown)|no help desk|\bchat not found|^invalid subscription\b",
    ),
    # Marketo: https://experienceleague.adobe.com/en/docs/marketo-developer/marketo/rest/error-codes
    (
        "provider_error",
        r"^system error\b|^request time-?out\b|^transient error\b|api temporarily unavailable",
    ),
)
"""Patterns of sentences in lower case. Every match counts."""

FIRM: Final[tuple[tuple[Code, str], ...]] = (
    # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: a clock, not the key
    ("request_rejected", r"^request_?time_?too_?skewed$"),
    # https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
    ("request_rejected", r"make sure your request has a user-agent header"),
    # https://help.sap.com/docs/SAP_NETWEAVER_750: a write without the token of a read
    ("request_rejected", r"^csrf token (?:validation failed|required)"),
    # https://developers.freshdesk.com/api/#error
    ("request_rejected", r"^ssl_required$"),
    # https://mailchimp.com/developer/transactional/docs/error-glossary/: with a 500
    ("auth_invalid", r"^invalid_key$"),
)
"""Words and sentences in lower case that mean the same with any status, even 403, which otherwise
is not about the request."""

ONE_OF_MANY: Final = (
    r"(?:invalid|malformed|incorrect|missing)[\w ,]{0,20}(?:or|,) ?(?:has |is )?expired"
    r"|expired[\w ,]{0,12}(?:or|,) (?:is )?(?:invalid|malformed|incorrect|missing)"
)
"""A sentence with expiry as one of several reasons, so the reason is unknown."""
