//! stub
use std::sync::Arc;
use super::{ImageApiSim, WechatSim};
pub(super) fn routes(_wechat: Arc<WechatSim>, _image_api: Arc<ImageApiSim>) -> poem::Route {
    poem::Route::new()
}
