"""The sentences of the demo: who did something, and six details of it that may be told or not."""

PEOPLE = '张伟 李娜 王芳 刘洋 陈静 杨磊 赵敏 周涛 吴刚 孙丽 郑凯 何琳 马超 朱红 胡斌 林峰'.split()

# A domain's six details in the order of its sentences: value|other value|wording if left open
DOMAINS = [
    [detail.split('|') for detail in domain.split()]
    for domain in (
        '周五|周六| 上午|下午| 和朋友|和同事| 坐高铁|坐飞机| 去了北京|去了上海|去了外地 旅游|看展|',
        '今天|昨天| 在网上|在店里| 用微信|用信用卡| '
        '给爸爸|给妈妈| 买了红色的|买了白色的|买了 手机|电脑|东西',
        '月初|月底| 在柜台|在手机上| 从工资卡|从储蓄卡| '
        '给儿子|给女儿| 转了三千元|转了五千元|转了一笔 学费|房租|钱',
    )
]
