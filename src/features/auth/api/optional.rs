//! `OptionalUserAuth`: operations that work without a token and say more with one.

use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::Registry;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::UserAuth;
use crate::base::ids::UserId;

/// Who is calling, if he says so. Without an `Authorization` header it is nobody; with one it must be a
/// good token, or the answer is 401: whoever believes to be logged in must learn that he is not.
pub struct OptionalUserAuth(Option<UserAuth>);

impl OptionalUserAuth {
    /// Who is calling.
    pub fn id(&self) -> Option<UserId> {
        self.0.as_ref().map(UserAuth::id)
    }
}

impl<'a> ApiExtractor<'a> for OptionalUserAuth {
    const TYPES: &'static [ApiExtractorType] = <UserAuth as ApiExtractor<'a>>::TYPES;

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        <UserAuth as ApiExtractor<'a>>::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        <UserAuth as ApiExtractor<'a>>::security_schemes()
    }

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> Result<Self> {
        if !request.headers().contains_key(header::AUTHORIZATION) {
            return Ok(Self(None));
        }
        let user = <UserAuth as ApiExtractor<'a>>::from_request(request, body, options).await?;
        Ok(Self(Some(user)))
    }
}
