-- wrk script: me | login | proxy, as LOAD says. Tokens come from the file that TOKENS names.
local load, tokens, thread_number, sent = os.getenv("LOAD"), {}, 0, 0
local json = { ["Content-Type"] = "application/json" }

function setup(thread)
  thread:set("number", thread_number)
  thread_number = thread_number + 1
end

function init()
  math.randomseed(number + 1)
  for line in io.lines(os.getenv("TOKENS")) do table.insert(tokens, line) end
end

local function bearer(headers)
  headers["Authorization"] = "Bearer " .. tokens[math.random(#tokens)]
  return headers
end

function request()
  sent = sent + 1
  if load == "me" then
    return wrk.format("GET", "/v1/users/me", bearer({}))
  elseif load == "login" then
    -- A new openid each time: every login makes a user.
    local code = string.format("%s-%d-%d", os.getenv("RUN"), number, sent)
    return wrk.format("POST", "/v1/auth/wechat-login", json, '{"code":"' .. code .. '"}')
  end
  return wrk.format("POST", "/v1/proxy/images/generate", bearer({ ["Content-Type"] = "application/json" }),
    '{"prompt":"a mechanical fox running under the stars, cyberpunk, neon","n":1}')
end

function done(summary)
  local e = summary.errors
  io.write(string.format("%s: %.0f requests/s, %d other than 2xx or 3xx, %d socket errors\n", load,
    summary.requests / (summary.duration / 1e6), e.status, e.connect + e.read + e.write + e.timeout))
end
