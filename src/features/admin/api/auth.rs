//! The first argument of every protected operation: an administrator of at least some role.
//!
//! The type says which, so that the document, the coverage test and the check cannot disagree.

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use poem::http::header;
use poem::{FromRequest, Request, RequestBody, Result};
use poem_openapi::registry::{MetaSecurityScheme, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::cookie;
use crate::app::App;
use crate::app::limits::IpKey;
use crate::features::admin::model::{AdminError, CurrentAdmin, Origin, Role};
use crate::features::admin::service::sessions;
use crate::http::{ApiError, ErrorCode, RequestContext};

/// Every administrator.
pub type Viewer = AdminAuth<AsViewer>;

/// Content, operators and owners.
pub type Content = AdminAuth<AsContent>;

/// Operators and owners.
pub type Operator = AdminAuth<AsOperator>;

/// Owners.
pub type Owner = AdminAuth<AsOwner>;

/// Operators and owners who have just said again who they are: for money.
pub type OperatorSteppedUp = AdminAuth<AsOperatorSteppedUp>;

/// Owners who have just said again who they are: for secrets.
pub type OwnerSteppedUp = AdminAuth<AsOwnerSteppedUp>;

/// What an operation takes.
pub trait Access: Send + Sync + 'static {
    /// The name of the security scheme.
    const SCHEME: &'static str;
    const DESCRIPTION: &'static str;
    /// The least role.
    const ROLE: Role;
    /// Whether a step-up is asked for.
    const STEPPED_UP: bool;
}

/// Declares the accesses.
macro_rules! accesses {
    ($($name:ident, $scheme:literal, $role:expr, $stepped_up:literal, $description:literal;)+) => {$(
        #[doc = $description]
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}

        impl Access for $name {
            const SCHEME: &'static str = $scheme;
            const DESCRIPTION: &'static str = $description;
            const ROLE: Role = $role;
            const STEPPED_UP: bool = $stepped_up;
        }
    )+};
}

accesses! {
    AsViewer, "Viewer", Role::Viewer, false,
        "The session of any administrator.";
    AsContent, "Content", Role::Content, false,
        "The session of an administrator for content, an operator or an owner.";
    AsOperator, "Operator", Role::Operator, false,
        "The session of an operator or an owner.";
    AsOwner, "Owner", Role::Owner, false,
        "The session of an owner.";
    AsOperatorSteppedUp, "OperatorSteppedUp", Role::Operator, true,
        "The session of an operator or an owner, stepped up.";
    AsOwnerSteppedUp, "OwnerSteppedUp", Role::Owner, true,
        "The session of an owner, stepped up.";
}

/// Who is asking; dereferences to [`CurrentAdmin`].
pub struct AdminAuth<A> {
    admin: Arc<CurrentAdmin>,
    access: PhantomData<fn() -> A>,
}

impl<A> Deref for AdminAuth<A> {
    type Target = CurrentAdmin;

    fn deref(&self) -> &CurrentAdmin {
        &self.admin
    }
}

impl<A> AdminAuth<A> {
    /// For an operation that touches money or secrets only sometimes.
    ///
    /// # Errors
    /// `STEP_UP_REQUIRED`.
    pub fn stepped_up(&self, app: &App) -> Result<(), ApiError> {
        match sessions::stepped_up_until(app, &self.admin) {
            Some(_) => Ok(()),
            None => Err(AdminError::StepUpRequired.into()),
        }
    }
}

impl<'a, A: Access> ApiExtractor<'a> for AdminAuth<A> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = MetaSecurityScheme {
            ty: "apiKey",
            description: Some(A::DESCRIPTION),
            name: Some(cookie::DOCUMENTED),
            key_in: Some("cookie"),
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(A::SCHEME, scheme);
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![A::SCHEME]
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> Result<Self> {
        let app =
            request.data::<Arc<App>>().ok_or_else(|| ApiError::new(ErrorCode::InternalError))?;
        let admin = current(app, request).await?;
        if !admin.role.includes(A::ROLE) {
            return Err(ApiError::from(AdminError::Forbidden(A::ROLE)).into());
        }
        let auth = Self { admin: Arc::new(admin), access: PhantomData };
        if A::STEPPED_UP {
            auth.stepped_up(app)?;
        }
        Ok(auth)
    }
}

/// Whose session `request` brings.
///
/// # Errors
/// `UNAUTHORIZED`; the answer takes a cookie that is good no more away.
pub(super) async fn current(app: &App, request: &Request) -> Result<CurrentAdmin, ApiError> {
    let token = cookie::token_of(request, &app.admin).ok_or(ErrorCode::Unauthorized)?;
    sessions::current(app, &token, origin_of(request)).await.map_err(|err| {
        let is_over = matches!(err, AdminError::NoSession);
        match cookie::clear_header(&app.admin).filter(|_| is_over) {
            Some(value) => ApiError::from(err).header(header::SET_COOKIE, value),
            None => err.into(),
        }
    })
}

/// Where `request` comes from.
pub(super) fn origin_of(request: &Request) -> Origin {
    let context = RequestContext::of(request);
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Origin {
        request_id: context.map(|context| context.request_id().to_owned()),
        address: context.and_then(|context| context.client_ip()),
        user_agent: agent.unwrap_or_default().to_owned(),
    }
}

/// Where a request comes from that nobody is logged in for.
pub(super) struct OwnOrigin(pub(super) Origin);

impl OwnOrigin {
    /// Of this request.
    fn of(request: &Request) -> Self {
        Self(origin_of(request))
    }

    /// Counts a log-in to the limit by address, which users' log-ins count to as well.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED`.
    pub(super) fn check_rate(&self, app: &App) -> Result<(), ApiError> {
        match self.0.address {
            Some(ip) => Ok(app.limits.login_per_ip.check(&IpKey::from(ip))?),
            None => Ok(()),
        }
    }
}

impl<'a> FromRequest<'a> for OwnOrigin {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Self::of(request))
    }
}
