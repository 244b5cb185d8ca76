//! stub
use super::{ImageApiSim, WechatSim};
use std::sync::Arc;
pub(super) fn routes(_wechat: Arc<WechatSim>, _image_api: Arc<ImageApiSim>) -> poem::Route {
    poem::Route::new()
}
