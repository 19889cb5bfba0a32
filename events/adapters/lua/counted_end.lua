-- After every script (see counted.lua). Answer: commands, bytes, the script's own answer.
local answer = main()
return {commands, weight(KEYS) + weight(ARGV) + weight(answer), answer}
