-- Before every script, so that each knows what it costs: EVAL, and each call in it (redis-rest.md 11). The script itself
-- becomes the function `main` below all that it shares; its answer is the second one.
local commands, server = 1, redis
local redis = {
  call = function(...)
    commands = commands + 1
    return server.call(...)
  end,
}
