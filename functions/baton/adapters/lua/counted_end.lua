-- After every script (see counted.lua). Answer: commands, bytes, the script's own answer.
local answer = main()
return {commands, bytes_with(answer), answer}
