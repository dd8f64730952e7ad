package sandbox

import "errors"

// refusal is an answer with succ:false.
type refusal struct{ code, message string }

// The refusals. What the national server says in these cases is not known; the
// codes are the sandbox's own.
var (
	wrongLogin     = &refusal{"LOGIN_FAILED", "账号或密码错误 (wrong account or password)"}
	tokenUnknown   = &refusal{"TOKEN_UNKNOWN", "令牌不存在 (unknown token)"}
	tokenExpired   = &refusal{"TOKEN_EXPIRED", "令牌已过期 (the token has expired)"}
	tokenUsed      = &refusal{"TOKEN_USED", "令牌已用于另一次上传 (the token was used for another upload)"}
	nothingArrived = &refusal{"NO_UPLOAD", "没有收到该令牌的数据 (nothing arrived under this token)"}
	badCoding      = &refusal{"BAD_PARAMETER", "rc020、rc021、rc022 只能为 1 或 2 (must be 1 or 2)"}
	tooLarge       = &refusal{"TOO_LARGE", "数据包过大 (the package is too large)"}
	emptyBody      = &refusal{"EMPTY", "数据包为空 (the package is empty)"}
)

// errForgotten: the state was reset while the delivery was under way.
var errForgotten = errors.New("the delivery was forgotten by a reset")
