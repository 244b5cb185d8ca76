-- wrk script: asks for the paths in the file that PATHS names, one after the other. With LOAD=like each
-- is liked and unliked by somebody with one of the TOKENS; with first-token he just asks.
local load, paths, tokens, sent = os.getenv("LOAD"), {}, {}, 0

function init()
  math.randomseed(os.time())
  for line in io.lines(os.getenv("PATHS")) do table.insert(paths, line) end
  for line in io.lines(os.getenv("TOKENS")) do table.insert(tokens, line) end
end

function request()
  sent = sent + 1
  local headers = {}
  if load == "like" or load == "first-token" then
    headers["Authorization"] = "Bearer " .. tokens[math.random(#tokens)]
  end
  if load ~= "like" then
    return wrk.format("GET", paths[sent % #paths + 1], headers)
  end
  return wrk.format(sent % 2 == 0 and "POST" or "DELETE", paths[math.random(#paths)], headers)
end
